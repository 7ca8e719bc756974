"""The compiled engine: a C++ library that runs Programs (core/), and what Python needs to load and feed it."""
