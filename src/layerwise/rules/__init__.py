"""The mathematics: every rule is a pure function written in the vocabulary of ops/, forward beside backward."""
