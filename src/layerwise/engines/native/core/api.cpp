// The C interface: everything that Python calls. No exception leaves it; errors are a line of text.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "execute.hpp"
#include "export.hpp"

using namespace layerwise;

namespace {

constexpr std::size_t kMessage = 256;

// The executors of one plan: as many as have run at the same time, though no more than processors stay for later runs.
template <class T> class Executors {
  public:
    Executors(std::shared_ptr<const Plan> plan, const Kernels<T>& kernels) : plan_(std::move(plan)), kernels_(kernels) {
        free_.reserve(kept_);
        free_.push_back(std::make_unique<Executor<T>>(plan_, kernels_));
    }

    // Call f with an executor that nobody else uses meanwhile.
    template <class F> void with(F f) {
        Loan loan(*this);
        f(*loan.executor);
    }

  private:
    struct Loan {
        explicit Loan(Executors& of) : of(of), executor(of.take()) {}
        ~Loan() { of.give_back(std::move(executor)); }
        Loan(const Loan&) = delete;
        Loan& operator=(const Loan&) = delete;
        Executors& of;
        std::unique_ptr<Executor<T>> executor;
    };

    // The one used last comes first: its memory is the one still in the caches, and large enough.
    std::unique_ptr<Executor<T>> take() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!free_.empty()) {
                auto last = std::move(free_.back());
                free_.pop_back();
                return last;
            }
        }
        return std::make_unique<Executor<T>>(plan_, kernels_);
    }

    void give_back(std::unique_ptr<Executor<T>> executor) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (free_.size() < kept_) free_.push_back(std::move(executor));  // there is room: it was reserved
    }

    const std::shared_ptr<const Plan> plan_;
    const Kernels<T>& kernels_;
    const std::size_t kept_ = std::max(1u, std::thread::hardware_concurrency());
    std::mutex mutex_;
    std::vector<std::unique_ptr<Executor<T>>> free_;
};

// A plan, and what runs it; several threads may at once.
struct Loaded {
    std::unique_ptr<Executors<float>> of_float;
    std::unique_ptr<Executors<double>> of_double;
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
        const auto plan = std::make_shared<const Plan>(Plan::decode(code, length, constants, n_constants));
        if (path < 0 || path >= static_cast<int>(CodePath::count) || !has(static_cast<CodePath>(path))) throw PlanError("this processor lacks the code path");
        if (plan->bytes == 4) loaded->of_float = std::make_unique<Executors<float>>(plan, *kernels_of<float>(static_cast<CodePath>(path)));
        else loaded->of_double = std::make_unique<Executors<double>>(plan, *kernels_of<double>(static_cast<CodePath>(path)));
        result = loaded.release();
    });
    return result;
}

LW_EXPORT void layerwise_unload(void* loaded) { delete static_cast<Loaded*>(loaded); }

// 0, or 1 and a message. `done` receives the batches, the rows, and 0 if the first output was not finite.
LW_EXPORT int layerwise_run(void* loaded, const Epoch* epoch, double* sums, Index* done, char* message) {
    return guarded(message, [&] {
        auto* const which = static_cast<Loaded*>(loaded);
        Totals totals;
        const auto run = [&](auto& executor) { totals = executor.run(*epoch, sums); };
        if (which->of_float) which->of_float->with(run);
        else which->of_double->with(run);
        done[0] = totals.batches;
        done[1] = totals.rows;
        done[2] = totals.finite ? 1 : 0;
    });
}

LW_EXPORT int layerwise_call(void* loaded, const Once* once, char* message) {
    return guarded(message, [&] {
        auto* const which = static_cast<Loaded*>(loaded);
        const auto call = [&](auto& executor) { executor.call(*once); };
        if (which->of_float) which->of_float->with(call);
        else which->of_double->with(call);
    });
}
