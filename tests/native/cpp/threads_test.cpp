// Every part of every job runs exactly once, and no job returns before all its parts are done.
#include <atomic>
#include <cstdio>
#include <vector>

#include "core/threads.hpp"

int main() {
    using namespace layerwise;
    constexpr long kJobs = 300000;
    long wrong = 0;
    for (int threads = 2; threads <= 4; ++threads) {
        Team team(threads);
        std::vector<std::atomic<int>> runs(64);
        for (long job = 0; job < kJobs; ++job) {
            const Index parts = job % 2 ? 2 : 16;  // a late worker of one job would find the next one larger
            for (Index i = 0; i < parts; ++i) runs[static_cast<std::size_t>(i)].store(0);
            team.share(parts, [&](int, Index i) { runs[static_cast<std::size_t>(i)].fetch_add(1); });
            for (Index i = 0; i < parts; ++i) wrong += runs[static_cast<std::size_t>(i)].load() != 1;
        }
        std::printf("%d threads: %ld wrong so far\n", team.size(), wrong);
    }
    return wrong ? 1 : 0;
}
