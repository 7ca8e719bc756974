// Executing a plan: batch after batch, wave after wave, block of rows after block of rows.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "plan.hpp"
#include "threads.hpp"

namespace layerwise {

constexpr Index kNoLimit = Index{1} << 62;  // of codes
constexpr double kWorthSharing = 12e3;      // nanoseconds of work in a wave

// The rows of a data set, as they lie in memory.
struct Source {
    Index rows;
    Gather features, targets;        // data null where there are none; `rows` and `count` are filled in for each batch
    const void* sparse_start;        // features by compressed rows, or null
    const void* sparse_column;
    const void* sparse_value;
    Number sparse_number;
    std::int32_t sparse_wide;        // whether starts and columns are of 64 bits, not 32
    const Index* codes;
    const double* weights;
    const Index* places;             // row numbers for random masks, or null: their own
};

struct Epoch {
    void* const* vectors;
    Source source;
    const Index* order;
    const Index* bounds;   // start and end of each batch
    Index batches;
    const double* table;   // scalars of each batch, or one row for all
    Index table_rows;
    std::uint64_t seed, first_step;
    double seconds;        // return when so many have passed
    int threads;
    int sums;              // whether the outputs are sums over the rows, not means
};

struct Totals {
    Index batches = 0, rows = 0;
    bool finite = true;
};

// One run on arrays that the caller holds.
struct Once {
    void* const* vectors;
    const void* const* given;
    Index n;
    const double* scalars;
    void* const* outputs;
    int threads;
};

// Memory on a cache line, grown but never shrunk; all zeros at first.
class Memory {
  public:
    Memory() = default;
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    void* of(std::size_t bytes);

  private:
    void release();
    void* at_ = nullptr;
    std::size_t bytes_ = 0;
};

// What one run at a time needs beside the plan; runs at the same time take one each.
template <class T> class Executor {
  public:
    Executor(std::shared_ptr<const Plan> plan, const Kernels<T>& kernels);
    // Adds each output of each batch, times the batch's rows if it is a mean, to `sums`.
    Totals run(const Epoch& epoch, double* sums);
    void call(const Once& once);

  private:
    struct Laid {  // a phase's slots and panels, for the present number of rows
        std::vector<Index> slot_offset;
        std::vector<Index> first_sum;  // of each operation: the place of its first panel's sum
        Index rows = 0, panel_rows = 0, panels = 0;
        double cost = 0;
    };
    struct Part {
        std::size_t phase;
        Index panel;
    };
    struct Wave {
        std::size_t first, last;  // phases
        std::vector<Part> parts;
        std::vector<int> packs;   // what must be packed before
        double cost = 0;
    };
    using KnownMap = void (*)(const Map<T>&);
    struct Place {  // where a value begins in the present rows: a slot of the thread, or base + first row * advance
        Index slot;
        T* const* base;
        Index advance;
    };
    struct Prepared {  // an operation's formula, when the plan is loaded
        KnownMap known = nullptr, known_outer = nullptr;
        Map<T> map{};  // but for what depends on rows and thread
        int gradient = -1;  // the operand that may be an outer product
        std::vector<Place> operands, results;  // base null for a result that is only summed
        std::vector<Cover> covers, outer_covers;
        std::vector<ColumnPart<T>> parts;
    };
    // Where every batch is one row, what updates the first layer's W can multiply it with the next row at once, instead
    // of reading all of W again for that.
    struct Ahead {
        int product = -1, update = -1;  // operations, by number; -1 if there are none
        int features = -1;              // given array
        std::unique_ptr<T[]> row, products;
        bool gathered = false;          // the row of the next batch
        bool ready = false;             // its products
    };
    struct Rows {  // what an operation works on
        const Phase* phase;
        const Laid* laid;
        Index first, count;
        int thread;
        Index panel;
    };

    void prepare(const Operation& op);
    void find_ahead();
    void find_gathering();
    void find_sums_of_one_row();
    void gather_ahead(const Epoch& epoch, Index batch);
    Place place_of(int v, bool follows) const;
    T* at(const Place& place, const Rows& rows) const {
        return place.slot >= 0 ? scratch_[static_cast<std::size_t>(rows.thread)] + rows.laid->slot_offset[static_cast<std::size_t>(place.slot)]
                               : *place.base + rows.first * place.advance;
    }
    const T* copies_of(const std::vector<double>& constants);
    void set_scalar(std::size_t scalar, double value);
    Index fixed_panel_rows(const Phase& phase) const;
    void bind_vectors(void* const* vectors);
    void reserve(Index most_rows, bool gathers, int threads);
    void lay_out(Index n, int threads);
    double cost_of(const Operation& op, const Phase& phase, Index n) const;
    void check_sparse() const;
    void gather(const Epoch& epoch, Index batch);
    void gather_panel(Index first, Index count) const;
    void gather_rows(std::size_t given, const Index* rows, Index count, T* to) const;
    template <class Place> void gather_sparse(const Source& source, const Index* rows, Index n);
    void execute(Team& team);
    void execute_panel(const Rows& rows) noexcept;
    void execute_operation(const Operation& op, const Rows& rows);
    void matmul(const Operation& op, const Rows& rows);
    void map(const Operation& op, const Rows& rows);
    void columns(const Operation& op, const Rows& rows);
    bool is_outer(const Operation& op) const;
    bool fills_blocks(const Phase& phase) const;
    void pick(const Operation& op, const Rows& rows);
    void grouped_matmul(const Operation& op, const Rows& rows);
    void scatter(const Operation& op);
    bool takes_dots(const Operation& op, const Laid& laid) const;
    void pack_whole(int packed);
    void add_up_sums(std::size_t phase);

    const Value& value(int v) const { return plan_.values[static_cast<std::size_t>(v)]; }
    // Where a value begins, or where the phase's present rows of it do.
    T* whole(int v, const Rows& rows) const {
        const Value& value = plan_.values[static_cast<std::size_t>(v)];
        return value.storage == Storage::slot ? slot(value, rows) : base_[static_cast<std::size_t>(v)];
    }
    T* present(int v, const Rows& rows) const {
        const Value& value = plan_.values[static_cast<std::size_t>(v)];
        if (value.storage == Storage::slot) return slot(value, rows);
        return base_[static_cast<std::size_t>(v)] + rows.first * factor(value) * value.columns;
    }
    T* slot(const Value& value, const Rows& rows) const {
        return scratch_[static_cast<std::size_t>(rows.thread)] + rows.laid->slot_offset[static_cast<std::size_t>(value.index)];
    }
    const Index* codes(int v, const Rows& rows) const;
    Index factor(const Value& v) const { return v.symbolic ? v.rows : 1; }
    void check_codes(std::size_t given, const Index* codes, Index count) const;

    const std::shared_ptr<const Plan> shared_;
    const Plan& plan_;
    const Kernels<T>& kernels_;
    std::vector<T*> base_;                 // by value
    std::vector<std::pair<int, int>> same_for_one_row_;  // sums over rows, and what they sum
    std::vector<T*> own_place_;            // of those sums
    std::vector<const Index*> integers_;   // by given array
    std::vector<T*> gathered_;             // by given array
    std::vector<Index*> gathered_integers_;
    std::vector<T> scalars_;               // each a vector of copies; the last is the number of rows
    std::vector<Prepared> prepared_;       // by operation
    Ahead ahead_;
    const Source* source_ = nullptr;       // of the batch whose rows are gathered panel by panel,
    const Index* batch_rows_ = nullptr;    // and those rows
    const Phase* gathering_ = nullptr;     // the phase whose panels gather their rows; null if the batch is gathered before
    std::vector<std::unique_ptr<T[]>> constants_;
    std::vector<Laid> laid_;
    std::vector<Wave> waves_;
    std::vector<T*> packed_;
    std::vector<char> fresh_;
    std::vector<T*> scratch_, workspace_;  // by thread
    T* partial_sums_ = nullptr;
    Memory arena_, threads_memory_, sums_memory_;
    std::vector<Index> sparse_start_, sparse_column_;
    std::vector<T> sparse_value_;
    double cost_ = 0;  // of a batch, in nanoseconds
    Index n_ = 0, reserved_rows_ = -1, laid_rows_ = -1;
    int reserved_threads_ = 0, laid_threads_ = 0;
    bool reserved_gathers_ = false, gathers_ = false, sparse_ = false;
    std::uint64_t seed_ = 0, step_ = 0;
    std::vector<Index> code_limit_;        // by given array: what its codes must be below
};

}  // namespace layerwise
