// Runs saved plans without Python, on one thread, on several and twice at the same time, and compares every bit.
//
// For the thread sanitizer, which cannot look into a Python process. Plans come from tests/native/save_plans.py: the
// number of integers and of constants, the integers, the constants.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include "execute.hpp"

using namespace layerwise;

// What api.cpp exports: two trainings at the same time have to share what it has loaded.
extern "C" void* layerwise_load(const Index* code, Index length, const double* constants, Index n_constants, int path, char* message);
extern "C" void layerwise_unload(void* loaded);
extern "C" int layerwise_run(void* loaded, const Epoch* epoch, double* sums, Index* done, char* message);

namespace {

constexpr Index kRows = 300;
constexpr Index kBatch = 70;
constexpr int kThreads = 3;

template <class T> std::vector<std::vector<T>> train(void* loaded, const Plan& plan, int threads, std::vector<double>& sums) {
    std::mt19937 random(7);
    std::uniform_real_distribution<double> uniform(0.1, 0.9);
    std::vector<std::vector<T>> vectors;
    std::vector<void*> addresses;
    for (const Index size : plan.vectors) {
        vectors.emplace_back(static_cast<std::size_t>(size));
        for (T& x : vectors.back()) x = static_cast<T>(uniform(random) / 8);
    }
    for (auto& vector : vectors) addresses.push_back(vector.data());
    std::vector<double> features, targets, weights(kRows, 0.5), table(static_cast<std::size_t>(plan.scalars) + 1, 0.01);
    std::vector<Index> codes(kRows), order(kRows), bounds;
    for (Index i = 0; i < kRows; ++i) {
        codes[static_cast<std::size_t>(i)] = i % 2;
        order[static_cast<std::size_t>(i)] = kRows - 1 - i;
    }
    for (Index i = 0; i < kRows; i += kBatch) {
        bounds.push_back(i);
        bounds.push_back(i + kBatch < kRows ? i + kBatch : kRows);
    }
    Epoch epoch{};
    epoch.vectors = addresses.data();
    epoch.source.rows = kRows;
    const auto fill = [&](const Given& given, std::vector<double>& numbers, Gather& gather) {
        numbers.resize(static_cast<std::size_t>(kRows * given.columns));
        for (double& x : numbers) x = uniform(random);
        gather = {numbers.data(), Number::f64, given.columns * 8, 8, given.columns, nullptr, 0};
    };
    for (const Given& given : plan.given) {
        if (given.role == Role::features) fill(given, features, epoch.source.features);
        if (given.role == Role::targets) fill(given, targets, epoch.source.targets);
    }
    epoch.source.codes = codes.data();
    epoch.source.weights = weights.data();
    epoch.order = order.data();
    epoch.bounds = bounds.data();
    epoch.batches = static_cast<Index>(bounds.size() / 2);
    epoch.table = table.data();
    epoch.table_rows = 1;
    epoch.seed = 5;
    epoch.seconds = 1e9;
    epoch.threads = threads;
    sums.assign(plan.outputs.size() + 1, 0.0);
    Index done[3];
    char message[256] = "";
    for (int repeat = 0; repeat < 20; ++repeat)
        if (layerwise_run(loaded, &epoch, sums.data(), done, message)) throw PlanError(message);
    return vectors;
}

template <class T> bool same_bits(void* loaded, const Plan& plan) {
    struct Training {
        std::vector<double> sums;
        std::vector<std::vector<T>> vectors;
    };
    Training alone, others[3];
    const auto run = [&](Training& training, int threads) { training.vectors = train<T>(loaded, plan, threads, training.sums); };
    run(alone, 1);
    run(others[0], kThreads);
    std::thread beside([&] { run(others[1], kThreads); });
    run(others[2], kThreads);
    beside.join();
    bool same = true;
    for (const Training& other : others) {
        same = same && std::memcmp(alone.sums.data(), other.sums.data(), alone.sums.size() * sizeof(double)) == 0;
        for (std::size_t v = 0; v < alone.vectors.size(); ++v)
            same = same && std::memcmp(alone.vectors[v].data(), other.vectors[v].data(), alone.vectors[v].size() * sizeof(T)) == 0;
    }
    return same;
}

}  // namespace

int main(int count, char** files) {
    int wrong = count < 2;
    if (wrong) std::fprintf(stderr, "usage: layerwise_runner PLAN...\n");
    for (int f = 1; f < count; ++f) {
        std::ifstream file(files[f], std::ios::binary);
        Index sizes[2] = {0, 0};
        file.read(reinterpret_cast<char*>(sizes), sizeof sizes);
        std::vector<Index> code(static_cast<std::size_t>(sizes[0]));
        std::vector<double> constants(static_cast<std::size_t>(sizes[1]));
        file.read(reinterpret_cast<char*>(code.data()), sizes[0] * 8);
        file.read(reinterpret_cast<char*>(constants.data()), sizes[1] * 8);
        const Plan plan = Plan::decode(code.data(), sizes[0], constants.data(), sizes[1]);
        for (int path = 0; path < static_cast<int>(CodePath::count); ++path) {
            if (!has(static_cast<CodePath>(path))) continue;
            char message[256] = "";
            void* const loaded = layerwise_load(code.data(), sizes[0], constants.data(), sizes[1], path, message);
            if (!loaded) throw PlanError(message);
            const bool same = plan.bytes == 4 ? same_bits<float>(loaded, plan) : same_bits<double>(loaded, plan);
            layerwise_unload(loaded);
            std::printf("%s, code path %d: %s\n", files[f], path, same ? "same bits" : "OTHER BITS");
            wrong += !same;
        }
    }
    return wrong ? 1 : 0;
}
