// The workers spin for a moment after each piece of work, since the next one mostly follows within microseconds, and
// sleep when it does not. Parts are claimed one by one: a worker that gets no processor time claims none, and the
// calling thread does them all. A worker that loses its processor in the midst of a part holds everybody up, for as long
// as the system gives it to others: one that does so twice in a short time, or costs more than it helps time after time, is
// left out for a while.
#include "threads.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#endif
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace layerwise {

namespace {

void pause() {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// The processor that the calling thread runs on, or -1 where the system does not say.
int processor() {
#if defined(__linux__)
    return sched_getcpu();
#else
    return -1;
#endif
}

using Clock = std::chrono::steady_clock;

constexpr auto kSpin = std::chrono::microseconds(50);
constexpr auto kHeldUp = std::chrono::microseconds(200);  // beyond what the caller itself worked
constexpr auto kNap = std::chrono::microseconds(20);      // leaves the caller's processor to whoever has none
constexpr auto kOutOfTheWay = std::chrono::milliseconds(2);
constexpr int kLateInVain = 8;
constexpr auto kOftenHeldUp = std::chrono::milliseconds(25);
constexpr auto kLeftOut = std::chrono::milliseconds(40), kLongestLeftOut = std::chrono::milliseconds(320);
constexpr auto kForgotten = std::chrono::seconds(2);

// `ticket_` holds the number of the job in its upper half and how many parts are left to claim in the lower one. While
// any is left the job cannot change, and while the next one is prepared none is: so a late worker, which still looks at
// an old ticket, can claim nothing.
class Workers {
  public:
    // Returns how many threads there are now, the caller included.
    int grow(int wanted) {
#if !defined(_WIN32)
        // Signals are for the threads of the interpreter.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
        try {
            while (static_cast<int>(threads_.size()) < wanted - 1) {
                const int number = static_cast<int>(threads_.size()) + 1;
                if (seats_.size() < static_cast<std::size_t>(number)) seats_.push_back(std::make_unique<Seat>());
                Seat& seat = *seats_.back();
                threads_.emplace_back([this, number, &seat] { work(number, seat); });
            }
        } catch (const std::system_error&) {  // the system gives no more: fewer will do
        }
#if !defined(_WIN32)
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
        return static_cast<int>(threads_.size()) + 1 < wanted ? static_cast<int>(threads_.size()) + 1 : wanted;
    }

    void run(int size, Index parts, void (*call)(const void*, int, Index), const void* what) {
        const auto started = Clock::now();
        size_.store(size, std::memory_order_relaxed);
        caller_processor_.store(processor(), std::memory_order_relaxed);
        const std::uint64_t number = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
        done_.store(0, std::memory_order_relaxed);
        call_.store(call, std::memory_order_relaxed);
        what_.store(what, std::memory_order_relaxed);
        ticket_.store(number << 32 | static_cast<std::uint32_t>(parts), std::memory_order_seq_cst);
        if (asleep_.load(std::memory_order_seq_cst) > 0) {
            const std::lock_guard<std::mutex> lock(mutex_);
            wake_.notify_all();
        }
        claim(0, static_cast<std::uint32_t>(number), nullptr);
        const auto is_done = [&] { return done_.load(std::memory_order_acquire) == static_cast<std::uint32_t>(parts); };
        for (int rounds = 1; !is_done(); ++rounds) {
            pause();
            if (rounds % 1024 == 0) return wait(started, is_done);
        }
        for (const auto& seat : seats_) seat->late = 0;
    }

  private:
    // Of one worker.
    struct alignas(64) Seat {
        std::atomic<bool> at_work{false};
        std::atomic<Clock::rep> left_out_until{0};
        // The caller's own:
        Clock::duration penalty{};
        Clock::time_point held_up{};
        int late = 0;  // jobs in succession that ended late, with nothing gained
        bool is_late = false;
    };

    // Waits for a job's end, which is late. Those who keep it late are left out of the next jobs: at once if that is twice
    // in a short time for longer than anybody worked, or else if time after time their help costs more than it saves, as
    // when a worker has to share the caller's processor.
    template <class Done> void wait(Clock::time_point started, const Done& is_done) {
        const auto waiting_since = Clock::now();
        const auto worked = waiting_since - started;
        for (const auto& seat : seats_) seat->is_late = seat->at_work.load(std::memory_order_acquire);
        while (!is_done() && Clock::now() - waiting_since < kHeldUp + worked) std::this_thread::yield();
        if (is_done()) {
            const bool in_vain = Clock::now() - waiting_since > worked / 2;
            for (const auto& seat : seats_) {
                seat->late = in_vain && seat->is_late ? seat->late + 1 : 0;
                if (seat->late == kLateInVain) leave_out(*seat);
            }
            return;
        }
        const auto now = Clock::now();
        for (const auto& seat : seats_) {
            if (!seat->at_work.load(std::memory_order_acquire)) continue;
            const bool once_only = now - seat->held_up > kOftenHeldUp;  // systems have their hiccups
            seat->held_up = now;
            if (!once_only) leave_out(*seat);
        }
        while (!is_done()) std::this_thread::sleep_for(kNap);
    }

    void leave_out(Seat& seat) {
        const auto now = Clock::now();
        const Clock::time_point before{Clock::duration(seat.left_out_until.load(std::memory_order_relaxed))};
        const bool again = now - before < kForgotten;
        seat.penalty = again && 2 * seat.penalty < kLongestLeftOut ? 2 * seat.penalty : again ? seat.penalty : kLeftOut;
        seat.left_out_until.store((now + seat.penalty).time_since_epoch().count(), std::memory_order_release);
        seat.late = 0;
    }

    // Do parts of job `number` until there are none left.
    void claim(int thread, std::uint32_t number, Seat* seat) {
        std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
        while (static_cast<std::uint32_t>(ticket >> 32) == number) {
            const std::uint32_t left = static_cast<std::uint32_t>(ticket);
            if (left == 0) return;
            // Read before the claim: if the claim succeeds, the job was still this one when they were read.
            const auto call = call_.load(std::memory_order_relaxed);
            const void* const what = what_.load(std::memory_order_relaxed);
            if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
            if (seat) seat->at_work.store(true, std::memory_order_release);
            call(what, thread, static_cast<Index>(left) - 1);
            if (seat) seat->at_work.store(false, std::memory_order_release);
            done_.fetch_add(1, std::memory_order_acq_rel);
            ticket = ticket_.load(std::memory_order_acquire);
        }
    }

    void work(int thread, Seat& seat) {
        std::uint32_t seen = 0;
        while (true) {
            std::uint32_t number = static_cast<std::uint32_t>(ticket_.load(std::memory_order_acquire) >> 32);
            if (number == seen) {
                const auto until = Clock::now() + kSpin;
                for (int i = 0; number == seen; ++i) {
                    pause();
                    number = static_cast<std::uint32_t>(ticket_.load(std::memory_order_acquire) >> 32);
                    if (i % 64 == 63 && Clock::now() > until) break;
                }
            }
            if (number == seen) {
                std::unique_lock<std::mutex> lock(mutex_);
                asleep_.fetch_add(1, std::memory_order_seq_cst);
                wake_.wait(lock, [&] { return static_cast<std::uint32_t>(ticket_.load(std::memory_order_seq_cst) >> 32) != seen; });
                asleep_.fetch_sub(1, std::memory_order_seq_cst);
                continue;
            }
            seen = number;
            const Clock::time_point until{Clock::duration(seat.left_out_until.load(std::memory_order_acquire))};
            if (until > Clock::now()) {
                std::this_thread::sleep_until(until);
                continue;
            }
            const int own = processor();
            if (own >= 0 && own == caller_processor_.load(std::memory_order_relaxed)) {
                std::this_thread::sleep_for(kOutOfTheWay);  // there it only takes the caller's time; it may wake elsewhere
                continue;
            }
            if (thread < size_.load(std::memory_order_relaxed)) claim(thread, number, &seat);
        }
    }

    std::vector<std::thread> threads_;
    std::vector<std::unique_ptr<Seat>> seats_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<int> asleep_{0}, size_{1};
    alignas(64) std::atomic<std::uint64_t> ticket_{0};
    alignas(64) std::atomic<std::uint32_t> done_{0};
    std::atomic<void (*)(const void*, int, Index)> call_{nullptr};
    std::atomic<const void*> what_{nullptr};
    std::atomic<int> caller_processor_{-1};
};

std::mutex holder;
Workers* workers = nullptr;
bool held = false;

#if !defined(_WIN32)
// A child of fork() has none of its parent's threads: it leaves them (they cannot be joined) and starts afresh.
void forget() {
    new (&holder) std::mutex;
    workers = nullptr;
    held = false;
}
#endif

}  // namespace

Team::Team(int threads) {
    if (threads < 2) return;
    const std::lock_guard<std::mutex> lock(holder);
    if (held) return;
    if (!workers) {
#if !defined(_WIN32)
        static const int registered = pthread_atfork(nullptr, nullptr, forget);
        (void)registered;
#endif
        workers = new Workers;  // for the life of the process: it ends with the threads asleep
    }
    size_ = workers->grow(threads);
    held = size_ > 1;
}

Team::~Team() {
    if (size_ < 2) return;
    const std::lock_guard<std::mutex> lock(holder);
    held = false;
}

void Team::share_out(Index parts, Call call, const void* what) { workers->run(size_, parts, call, what); }

}  // namespace layerwise
