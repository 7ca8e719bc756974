// Memory of an executor: where everything lives for so many rows and threads, and how phases are cut into panels.
#include <algorithm>
#include <cstring>
#include <new>

#include "execute.hpp"

namespace layerwise {

namespace {

constexpr std::size_t kCacheLine = 64;
constexpr Index kPanel = 32, kSmallPanel = 16, kLargePanel = 64;
constexpr Index kPanelBytes = 48 * 1024;        // of a product's result, in a phase of fixed rows
constexpr Index kManyWeights = 1 << 20;         // bytes: more than a second-level cache holds beside the rest
constexpr Index kMostPanels = 1 << 28;
constexpr Index kMostNumbers = Index{1} << 40;
constexpr double kWorthAPanel = 4e3;            // nanoseconds of work

Index rounded(Index count, Index bytes) {
    constexpr Index line = kCacheLine;
    return (count * bytes + line - 1) / line * line / bytes + line / bytes;
}

}  // namespace

// A phase of fixed rows is cut by its widest value, so that a block of all its values stays in a first-level cache.
template <class T> Index Executor<T>::fixed_panel_rows(const Phase& phase) const {
    Index widest = 1;
    for (const Index columns : phase.slots) widest = std::max(widest, columns);
    for (const Operation& op : phase.operations) {
        if (op.kind == Kind::map) widest = std::max(widest, op.columns);
        if (op.result >= 0) widest = std::max(widest, value(op.result).columns);
    }
    const Index fit = kPanelBytes / (widest * static_cast<Index>(sizeof(T))) / kSmallPanel * kSmallPanel;
    return std::min(std::max(kSmallPanel, fit), phase.rows);
}

Memory::~Memory() { release(); }

void Memory::release() {
    ::operator delete(at_, std::align_val_t{kCacheLine});
    at_ = nullptr;
    bytes_ = 0;
}

void* Memory::of(std::size_t bytes) {
    if (bytes > bytes_) {
        release();
        at_ = ::operator new(bytes, std::align_val_t{kCacheLine}, std::nothrow);
        if (!at_) throw PlanError("not enough memory for " + std::to_string(bytes >> 20) + " MiB of buffers");
        bytes_ = bytes;
        std::memset(at_, 0, bytes);
    }
    return at_;
}

template <class T> void Executor<T>::bind_vectors(void* const* vectors) {
    for (std::size_t v = 0; v < base_.size(); ++v) {
        const Value& value = plan_.values[v];
        if (value.storage == Storage::vector) base_[v] = static_cast<T*>(vectors[value.index]) + value.start;
        if (value.storage == Storage::scalar) base_[v] = &scalars_[static_cast<std::size_t>(value.index * kernels_.vector_width)];
        if (value.storage == Storage::row_count) base_[v] = &scalars_[static_cast<std::size_t>(plan_.scalars * kernels_.vector_width)];
    }
    std::fill(fresh_.begin(), fresh_.end(), 0);
}

// One block of memory for everything that lives between phases, and one for each thread.
template <class T> void Executor<T>::reserve(Index most_rows, bool gathers, int threads) {
    if (most_rows <= reserved_rows_ && threads <= reserved_threads_ && (gathers == reserved_gathers_)) return;
    const Index n = most_rows > reserved_rows_ ? most_rows : reserved_rows_;
    const Index bytes = sizeof(T);
    reserved_rows_ = laid_rows_ = -1;  // until everything is there: memory may run out
    std::vector<Index> fulls;  // values in several shapes share one place
    for (const Value& v : plan_.values) {
        if (v.symbolic && n > 0 && v.rows * v.columns > kMostNumbers / n) throw PlanError("a batch of " + std::to_string(n) + " rows is too large");
        if (v.storage != Storage::full) continue;
        if (static_cast<std::size_t>(v.index) >= fulls.size()) fulls.resize(static_cast<std::size_t>(v.index) + 1);
        Index& size = fulls[static_cast<std::size_t>(v.index)];
        size = std::max(size, v.count(n));
    }
    for (int writing = 0; writing < 2; ++writing) {
        Index size = 0;
        T* const start = writing ? static_cast<T*>(arena_.of(0)) : nullptr;
        const auto take = [&](Index count) {
            const Index at = size;
            size += rounded(count, bytes);
            if (size > kMostNumbers) throw PlanError("its buffers need too much memory");
            return writing ? start + at : nullptr;
        };
        for (std::size_t f = 0; f < fulls.size(); ++f) {
            T* const at = take(fulls[f]);
            for (std::size_t v = 0; writing && v < base_.size(); ++v)
                if (plan_.values[v].storage == Storage::full && plan_.values[v].index == static_cast<Index>(f)) base_[v] = at;
        }
        for (std::size_t p = 0; p < packed_.size(); ++p) {
            const Value& w = value(plan_.packed[p].value);
            T* const at = take((w.rows + kernels_.packed_columns) * w.columns);
            if (writing) packed_[p] = at;
        }
        for (std::size_t g = 0; gathers && g < plan_.given.size(); ++g) {
            const Given& given = plan_.given[g];
            const bool sparse = sparse_ && given.role == Role::features;
            T* const at = take(sparse ? 0 : given.count(n) * (given.integers ? static_cast<Index>(sizeof(Index)) / bytes : 1));
            if (writing) (given.integers ? gathered_integers_[g] = reinterpret_cast<Index*>(at) : (gathered_[g] = at, nullptr));
        }
        if (!writing) arena_.of(static_cast<std::size_t>(size * bytes));
    }
    own_place_.clear();
    for (const auto& [sum, of] : same_for_one_row_) own_place_.push_back(base_[static_cast<std::size_t>(sum)]);
    reserved_gathers_ = gathers;
    std::fill(fresh_.begin(), fresh_.end(), 0);
    // Panels depend on the number of rows, but never exceed this.
    Index scratch = 0, registers = 0, columns = 0;
    for (const Phase& phase : plan_.phases) {
        Index size = 0;
        for (const Index columns : phase.slots) {
            const Index rows = phase.symbolic ? std::min(n, kLargePanel) : fixed_panel_rows(phase);
            size += rounded(rows * columns, bytes);
            if (size > kMostNumbers) throw PlanError("its blocks need too much memory");
        }
        scratch = size > scratch ? size : scratch;
        for (const Operation& op : phase.operations) {
            const Index count = static_cast<Index>(op.operands.size() + op.formula.constants.size() + op.results.size()) + op.formula.temporaries;
            registers = std::max(registers, count);
            columns = std::max(columns, op.workspace);
        }
    }
    scratch = rounded(scratch, bytes);
    const Index workspace = rounded(std::max(map_workspace(kernels_, registers), columns_workspace(kernels_, columns)), bytes);
    T* const memory = static_cast<T*>(threads_memory_.of(static_cast<std::size_t>(threads * (scratch + workspace) * bytes)));
    scratch_.clear();
    workspace_.clear();
    for (int t = 0; t < threads; ++t) {
        scratch_.push_back(memory + t * (scratch + workspace));
        workspace_.push_back(memory + t * (scratch + workspace) + scratch);
    }
    reserved_threads_ = threads;
    reserved_rows_ = n;
}

template <class T> double Executor<T>::cost_of(const Operation& op, const Phase& phase, Index n) const {
    const double rows = static_cast<double>(phase.symbolic ? n : phase.rows);
    switch (op.kind) {
        case Kind::matmul: {
            const Value &out = value(op.result), &a = value(op.operands[0]);
            const double inner = static_cast<double>(op.transpose_a ? (a.symbolic ? a.rows * n : a.rows) : a.columns);
            return static_cast<double>(out.count(n)) * inner * static_cast<double>(sizeof(T)) / 300;
        }
        case Kind::map: return rows * static_cast<double>(op.rows_each * op.columns) * static_cast<double>(op.formula.instructions.size()) * static_cast<double>(sizeof(T)) / 64;
        case Kind::sum_rows: return static_cast<double>(value(op.operands[0]).count(n)) * static_cast<double>(sizeof(T)) / 64;
        default: return op.result < 0 ? 0 : static_cast<double>(value(op.result).count(n));
    }
}

// Whether anything is kept in the phase's blocks. Outer products are not: formulas compute them as they go.
template <class T> bool Executor<T>::fills_blocks(const Phase& phase) const {
    const auto in_block = [&](int v) { return v >= 0 && value(v).storage == Storage::slot; };
    return std::any_of(phase.operations.begin(), phase.operations.end(), [&](const Operation& op) {
        if (op.may_be_outer && is_outer(op)) return false;
        return in_block(op.result) || std::any_of(op.results.begin(), op.results.end(), in_block);
    });
}

template <class T> void Executor<T>::lay_out(Index n, int threads) {
    n_ = n;
    set_scalar(static_cast<std::size_t>(plan_.scalars), static_cast<double>(n));
    if (n == laid_rows_ && threads == laid_threads_) return;
    for (std::size_t i = 0; i < same_for_one_row_.size(); ++i) {
        const auto& [sum, of] = same_for_one_row_[i];
        base_[static_cast<std::size_t>(sum)] = n == 1 ? base_[static_cast<std::size_t>(of)] : own_place_[i];
    }
    const Index bytes = sizeof(T);
    laid_rows_ = -1;
    Index weights = 0, sums = 0;
    for (const Packed& p : plan_.packed) weights += value(p.value).count(n) * bytes;
    for (std::size_t p = 0; p < plan_.phases.size(); ++p) {
        const Phase& phase = plan_.phases[p];
        Laid& laid = laid_[p];
        laid.rows = phase.symbolic ? n : phase.rows;
        if (phase.symbolic) {
            // Rows do not depend on how they are cut, but sums over them do: those have one size for any number of threads.
            laid.panel_rows = weights > kManyWeights ? kLargePanel : !phase.has_sums && threads > 1 && n <= 2 * kPanel ? kSmallPanel : kPanel;
        } else {
            // Blocks have room for as many rows as usual: larger panels must not need them.
            const auto outer_product = [&](const Operation& op) { return op.may_be_outer && is_outer(op); };
            const bool outer = n == 1 && std::any_of(phase.operations.begin(), phase.operations.end(), outer_product) && !fills_blocks(phase);
            double cost = 1;
            for (const Operation& op : phase.operations) cost += cost_of(op, phase, n);
            const Index worth = static_cast<Index>(kWorthAPanel / cost * static_cast<double>(phase.rows));
            const Index most = fixed_panel_rows(phase), rounded_up = (worth + kSmallPanel) / kSmallPanel * kSmallPanel;
            laid.panel_rows = outer ? std::max(most, kLargePanel) : std::min(most, rounded_up);
        }
        laid.panel_rows = std::min(laid.panel_rows, laid.rows);
        if (laid.rows / std::max<Index>(laid.panel_rows, 1) > kMostPanels) throw PlanError("it has too many rows");
        laid.panels = laid.panel_rows ? (laid.rows + laid.panel_rows - 1) / laid.panel_rows : 0;
        laid.slot_offset.clear();
        Index size = 0;
        for (const Index columns : phase.slots) {
            laid.slot_offset.push_back(size);
            size += rounded(laid.panel_rows * columns, bytes);
        }
        laid.cost = 0;
        laid.first_sum.clear();
        for (const Operation& op : phase.operations) {
            laid.cost += cost_of(op, phase, n);
            laid.first_sum.push_back(sums);
            for (const int s : op.sums) sums += s >= 0 ? laid.panels : 0;
        }
    }
    partial_sums_ = static_cast<T*>(sums_memory_.of(static_cast<std::size_t>((sums + 1) * bytes)));
    cost_ = 0;
    for (Wave& wave : waves_) {
        wave.parts.clear();
        wave.packs.clear();
        wave.cost = 0;
        for (std::size_t p = wave.first; p < wave.last; ++p) {
            wave.cost += laid_[p].cost;
            cost_ += laid_[p].cost;
            for (const Operation& op : plan_.phases[p].operations)
                if (op.kind == Kind::matmul && op.transpose_b && !takes_dots(op, laid_[p])) wave.packs.push_back(op.packed);
            for (Index panel = 0; panel < laid_[p].panels; ++panel) wave.parts.push_back({p, panel});
        }
        // Threads claim parts from the last one on: the longest first.
        const auto cost = [&](const Part& part) { return laid_[part.phase].cost / static_cast<double>(laid_[part.phase].panels); };
        std::stable_sort(wave.parts.begin(), wave.parts.end(), [&](const Part& x, const Part& y) { return cost(x) < cost(y); });
    }
    laid_rows_ = n;
    laid_threads_ = threads;
}

template class Executor<float>;
template class Executor<double>;

}  // namespace layerwise
