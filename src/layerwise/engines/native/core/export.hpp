// What Python sees of the library.
#pragma once

#if defined(_WIN32)
#define LW_EXPORT extern "C" __declspec(dllexport)
#else
#define LW_EXPORT extern "C" __attribute__((visibility("default")))
#endif
