// Threads that wait for parts of work; one group for the process.
#pragma once

#include <functional>

#include "kernels.hpp"

namespace layerwise {

// The threads of this process, or of this process after a fork, while one run holds them.
//
// A second run at the same time gets none and works alone: no result depends on the number of threads.
class Team {
  public:
    // At most `threads` in all, the calling one included.
    explicit Team(int threads);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int size() const { return size_; }

    // Call part(thread, i) for i = 0 .. parts - 1, on any threads, each once; returns when all are done.
    template <class Part> void share(Index parts, const Part& part) {
        if (size_ == 1 || parts < 2) {
            for (Index i = 0; i < parts; ++i) part(0, i);
            return;
        }
        share_out(parts, [](const void* what, int thread, Index i) { (*static_cast<const Part*>(what))(thread, i); }, &part);
    }

  private:
    using Call = void (*)(const void*, int thread, Index i);
    void share_out(Index parts, Call call, const void* what);

    int size_ = 1;
};

}  // namespace layerwise
