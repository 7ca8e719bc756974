// The C interface: everything that Python calls. No exception leaves it; errors are a line of text.
#include <cstdio>
#include <memory>
#include <new>

#include "execute.hpp"

#if defined(_WIN32)
#define LW_EXPORT extern "C" __declspec(dllexport)
#else
#define LW_EXPORT extern "C" __attribute__((visibility("default")))
#endif

using namespace layerwise;

namespace {

constexpr std::size_t kMessage = 256;

struct Loaded {
    std::unique_ptr<Executor<float>> of_float;
    std::unique_ptr<Executor<double>> of_double;
};

void say(char* message, const char* text) {
    if (message) std::snprintf(message, kMessage, "%s", text);
}

template <class F> int guarded(char* message, F f) {
    try {
        f();
        return 0;
    } catch (const std::exception& problem) {
        say(message, problem.what());
        return 1;
    }
}

}  // namespace

LW_EXPORT int layerwise_abi() { return static_cast<int>(kAbi); }

LW_EXPORT int layerwise_code_paths() {
    int paths = 0;
    for (int path = 0; path < static_cast<int>(CodePath::count); ++path) paths |= has(static_cast<CodePath>(path)) ? 1 << path : 0;
    return paths;
}

// Null if the plan is refused; `message` (256 bytes) then says why.
LW_EXPORT void* layerwise_load(const Index* code, Index length, const double* constants, Index n_constants, int path, char* message) {
    void* result = nullptr;
    guarded(message, [&] {
        auto loaded = std::make_unique<Loaded>();
        Plan plan = Plan::decode(code, length, constants, n_constants);
        if (path < 0 || path >= static_cast<int>(CodePath::count) || !has(static_cast<CodePath>(path))) throw PlanError("this processor lacks the code path");
        if (plan.bytes == 4) loaded->of_float = std::make_unique<Executor<float>>(std::move(plan), *kernels_of<float>(static_cast<CodePath>(path)));
        else loaded->of_double = std::make_unique<Executor<double>>(std::move(plan), *kernels_of<double>(static_cast<CodePath>(path)));
        result = loaded.release();
    });
    return result;
}

LW_EXPORT void layerwise_unload(void* loaded) { delete static_cast<Loaded*>(loaded); }

// 0, or 1 and a message. `done` receives the batches, the rows, and 0 if the first output was not finite.
LW_EXPORT int layerwise_run(void* loaded, const Epoch* epoch, double* sums, Index* done, char* message) {
    return guarded(message, [&] {
        auto* const which = static_cast<Loaded*>(loaded);
        const Totals totals = which->of_float ? which->of_float->run(*epoch, sums) : which->of_double->run(*epoch, sums);
        done[0] = totals.batches;
        done[1] = totals.rows;
        done[2] = totals.finite ? 1 : 0;
    });
}

LW_EXPORT int layerwise_call(void* loaded, const Once* once, char* message) {
    return guarded(message, [&] {
        auto* const which = static_cast<Loaded*>(loaded);
        if (which->of_float) which->of_float->call(*once);
        else which->of_double->call(*once);
    });
}
