#include "execute.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <new>

namespace layerwise {

namespace {

constexpr std::size_t kCacheLine = 64;
constexpr Index kFewRows = 8;
constexpr Index kPanel = 32, kSmallPanel = 16, kLargePanel = 64;
constexpr Index kPanelBytes = 48 * 1024;        // of a product's result, in a phase of fixed rows
constexpr Index kManyWeights = 1 << 20;         // bytes: more than a second-level cache holds beside the rest
constexpr Index kMostPanels = 1 << 28;
constexpr Index kNoLimit = Index{1} << 62;
constexpr Index kMostNumbers = Index{1} << 40;
constexpr double kWorthSharing = 12e3;          // nanoseconds of work in a wave,
constexpr double kWorthAPanel = 4e3;            // in a panel

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

template <class T>
Executor<T>::Executor(std::shared_ptr<const Plan> plan, const Kernels<T>& kernels)
    : shared_(std::move(plan)), plan_(*shared_), kernels_(kernels), base_(plan_.values.size()), integers_(plan_.given.size()),
      gathered_(plan_.given.size()), gathered_integers_(plan_.given.size()),
      scalars_(static_cast<std::size_t>((plan_.scalars + 1) * kernels.vector_width)),
      prepared_(static_cast<std::size_t>(plan_.operations)), laid_(plan_.phases.size()), packed_(plan_.packed.size()),
      fresh_(plan_.packed.size()), code_limit_(plan_.given.size(), kNoLimit) {
    for (const Phase& phase : plan_.phases)
        for (const Operation& op : phase.operations) {
            const auto below = [&](int codes, Index limit) {
                Index& own = code_limit_[static_cast<std::size_t>(value(codes).index)];
                own = std::min(own, limit);
            };
            if (op.kind == Kind::pick) below(op.operands[1], value(op.operands[0]).columns);
            if (op.kind == Kind::gather_rows) below(op.operands[1], value(op.operands[0]).rows);
            if (op.kind == Kind::scatter_add_rows) below(op.operands[1], value(op.result).rows);
            for (const ColumnOperation& part : op.parts)
                if (part.step == ColumnStep::pick) below(op.operands[static_cast<std::size_t>(part.codes)], part.columns);
        }
    for (const Phase& phase : plan_.phases)
        for (const Operation& op : phase.operations) prepare(op);
    find_ahead();
    for (std::size_t p = 0; p < plan_.phases.size(); ++p) {
        if (waves_.empty() || plan_.phases[waves_.back().first].level != plan_.phases[p].level) waves_.push_back({p, p, {}, 0});
        waves_.back().last = p + 1;
    }
    find_gathering();
}

template <class T> const T* Executor<T>::copies_of(const std::vector<double>& constants) {
    const std::size_t width = static_cast<std::size_t>(kernels_.vector_width);
    constants_.push_back(std::make_unique<T[]>(constants.size() * width));
    for (std::size_t i = 0; i < constants.size(); ++i) std::fill_n(&constants_.back()[i * width], width, static_cast<T>(constants[i]));
    return constants_.back().get();
}

// What does not change from run to run: constants, and code that knows the formula.
template <class T> void Executor<T>::prepare(const Operation& op) {
    Prepared& made = prepared_[static_cast<std::size_t>(op.number)];
    for (const ColumnOperation& part : op.parts) {
        ColumnPart<T> p{};
        p.step = part.step;
        p.columns = part.columns;
        p.operand = part.operand;
        p.codes = part.codes;
        p.result = part.result;
        p.operands = static_cast<int>(part.operands.size());
        p.constants = static_cast<int>(part.formula.constants.size());
        p.temporaries = part.formula.temporaries;
        p.instructions = static_cast<int>(part.formula.instructions.size());
        p.results = static_cast<int>(part.formula.results);
        p.operand_register = part.operands.data();
        p.constant = copies_of(part.formula.constants);
        p.instruction = part.formula.instructions.data();
        made.parts.push_back(p);
    }
    if (op.kind != Kind::map) return;
    made.constants = copies_of(op.formula.constants);
    const std::size_t results = op.results.size();
    const auto summed = std::make_unique<bool[]>(results);
    for (std::size_t i = 0; i < results; ++i) summed[i] = op.sums[i] >= 0;
    int gradient = -1;
    for (std::size_t i = 0; op.product >= 0 && i < op.operands.size(); ++i)
        if (op.operands[i] == op.product_result) gradient = static_cast<int>(i);
    const FormulaCode code{static_cast<int>(op.operands.size()), static_cast<int>(op.formula.constants.size()), op.formula.temporaries,
                           static_cast<int>(op.formula.instructions.size()), static_cast<int>(results), op.covers.data(), summed.get(),
                           op.formula.instructions.data(), gradient};
    made.known = kernels_.known_map(code, false);
    made.known_outer = kernels_.known_map(code, true);
    made.covers = op.covers;
    for (std::size_t i = 0; i < op.covers.size(); ++i) {
        const Storage storage = value(op.operands[i]).storage;
        if (op.covers[i] == Cover::scalar && (storage == Storage::scalar || storage == Storage::row_count)) made.covers[i] = Cover::copies;
    }
    made.outer_covers = made.covers;
    if (gradient >= 0) made.outer_covers[static_cast<std::size_t>(gradient)] = Cover::outer;
}

// The rows can be gathered panel by panel if nothing else needs them at the same time.
template <class T> void Executor<T>::find_gathering() {
    const auto reads_rows = [&](const Phase& phase) {
        for (const Operation& op : phase.operations)
            for (const int v : op.operands)
                if (value(v).storage == Storage::given && !plan_.given[static_cast<std::size_t>(value(v).index)].integers) return true;
        return false;
    };
    for (std::size_t p = 0; !waves_.empty() && p < waves_.front().last; ++p) {
        const Phase& phase = plan_.phases[p];
        if (phase.symbolic && !gathering_) gathering_ = &phase;
        else if (phase.symbolic || reads_rows(phase)) {
            gathering_ = nullptr;
            return;
        }
    }
}

// The product of the features with a W, and the only formula that writes this W: of an outer product with the features.
template <class T> void Executor<T>::find_ahead() {
    const Operation* product = nullptr;
    for (const Phase& phase : plan_.phases)
        for (const Operation& op : phase.operations) {
            if (op.kind != Kind::matmul || !op.transpose_b || op.transpose_a) continue;
            const Value& a = value(op.operands[0]);
            const bool features = a.storage == Storage::given && plan_.given[static_cast<std::size_t>(a.index)].role == Role::features;
            if (features && value(op.operands[1]).storage == Storage::vector && a.columns >= kernels_.long_row) product = &op;
        }
    if (!product) return;
    const int features = product->operands[0];
    const Value& W = value(product->operands[1]);
    const Operation* update = nullptr;
    const Phase* phase_of_update = nullptr;
    int writers = 0;
    for (const Phase& phase : plan_.phases)
        for (const Operation& op : phase.operations)
            for (const int result : op.kind == Kind::map || op.kind == Kind::columns ? op.results : std::vector<int>{op.result}) {
                if (result < 0 || value(result).storage != Storage::vector || value(result).index != W.index) continue;
                const Value& out = value(result);
                if (out.start >= W.start + W.rows * W.columns || W.start >= out.start + out.rows * out.columns) continue;
                ++writers;
                update = &op;
                phase_of_update = &phase;
            }
    if (writers != 1 || update->kind != Kind::map || update->product < 0 || !prepared_[static_cast<std::size_t>(update->number)].known_outer) return;
    const Operation& gradient = phase_of_update->operations[static_cast<std::size_t>(update->product)];
    const auto stored = std::find_if(update->results.begin(), update->results.end(), [](int result) { return result >= 0; });
    const bool first_is_W = value(*stored).start == W.start && value(*stored).rows == W.rows && value(*stored).columns == W.columns;
    if (gradient.operands[1] != features || !first_is_W || phase_of_update->symbolic) return;
    ahead_.product = product->number;
    ahead_.update = update->number;
    ahead_.features = static_cast<int>(value(features).index);
    ahead_.row = std::make_unique<T[]>(static_cast<std::size_t>(W.columns + kernels_.vector_width));
    ahead_.products = std::make_unique<T[]>(static_cast<std::size_t>(W.rows + kernels_.vector_width));
}

template <class T> void Executor<T>::set_scalar(std::size_t scalar, double value) {
    T* const at = &scalars_[scalar * static_cast<std::size_t>(kernels_.vector_width)];
    const T number = static_cast<T>(value);
    if (std::memcmp(at, &number, sizeof number) != 0) std::fill_n(at, kernels_.vector_width, number);
}

// --- memory -----------------------------------------------------------------------------------------------------------

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

template <class T> void Executor<T>::lay_out(Index n, int threads) {
    n_ = n;
    set_scalar(static_cast<std::size_t>(plan_.scalars), static_cast<double>(n));
    if (n == laid_rows_ && threads == laid_threads_) return;
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
            const auto may_be_outer = [](const Operation& op) { return op.may_be_outer; };
            const bool outer = n == 1 && std::any_of(phase.operations.begin(), phase.operations.end(), may_be_outer);
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
        wave.cost = 0;
        for (std::size_t p = wave.first; p < wave.last; ++p) {
            wave.cost += laid_[p].cost;
            cost_ += laid_[p].cost;
            for (Index panel = 0; panel < laid_[p].panels; ++panel) wave.parts.push_back({p, panel});
        }
        // Threads claim parts from the last one on: the longest first.
        const auto cost = [&](const Part& part) { return laid_[part.phase].cost / static_cast<double>(laid_[part.phase].panels); };
        std::stable_sort(wave.parts.begin(), wave.parts.end(), [&](const Part& x, const Part& y) { return cost(x) < cost(y); });
    }
    laid_rows_ = n;
    laid_threads_ = threads;
}

template <class T> const Index* Executor<T>::codes(int v, const Rows& rows) const {
    const Value& value = plan_.values[static_cast<std::size_t>(v)];
    return integers_[static_cast<std::size_t>(value.index)] + rows.first * factor(value);
}

// Codes are checked before anything runs, so that operations can trust them.
template <class T> void Executor<T>::check_codes(std::size_t given, const Index* codes, Index count) const {
    for (Index i = 0; i < count; ++i)
        if (codes[i] < 0 || codes[i] >= code_limit_[given]) throw PlanError("a class code is out of range: " + std::to_string(codes[i]));
}

// --- runs -------------------------------------------------------------------------------------------------------------

template <class T> void Executor<T>::check_sparse() const {
    for (const Phase& phase : plan_.phases)
        for (const Operation& op : phase.operations)
            for (std::size_t i = 0; i < op.operands.size(); ++i) {
                const Value& v = value(op.operands[i]);
                if (v.storage != Storage::given || plan_.given[static_cast<std::size_t>(v.index)].role != Role::features) continue;
                const bool forward = op.kind == Kind::matmul && i == 0 && !op.transpose_a && op.transpose_b;
                const bool backward = op.kind == Kind::matmul && i == 1 && op.transpose_a && !op.transpose_b;
                if (!forward && !backward) throw PlanError("sparse features can only be multiplied");
            }
}

template <class T>
template <class Place>
void Executor<T>::gather_sparse(const Source& source, const Index* rows, Index n) {
    const auto* const starts = static_cast<const Place*>(source.sparse_start);
    const auto* const columns = static_cast<const Place*>(source.sparse_column);
    sparse_start_.assign(1, 0);
    sparse_column_.clear();
    sparse_value_.clear();
    for (Index i = 0; i < n; ++i) {
        for (Index at = starts[rows[i]]; at < starts[rows[i] + 1]; ++at) {
            if (columns[at] < 0 || columns[at] >= source.features.columns) throw PlanError("a column of the sparse features is out of range");
            sparse_column_.push_back(columns[at]);
            sparse_value_.push_back(source.sparse_number == Number::f64 ? static_cast<T>(static_cast<const double*>(source.sparse_value)[at])
                                                                        : static_cast<T>(static_cast<const float*>(source.sparse_value)[at]));
        }
        sparse_start_.push_back(static_cast<Index>(sparse_column_.size()));
    }
}

// A batch's rows and what belongs to them; features and targets only if their panels do not gather them.
template <class T> void Executor<T>::gather(const Epoch& epoch, Index batch) {
    const Source& source = epoch.source;
    const Index first = epoch.bounds[2 * batch], n = epoch.bounds[2 * batch + 1] - first;
    const Index* const rows = epoch.order + first;
    for (Index i = 0; i < n; ++i)
        if (rows[i] < 0 || rows[i] >= source.rows) throw PlanError("row " + std::to_string(rows[i]) + " is not in the data");
    source_ = &source;
    batch_rows_ = rows;
    for (std::size_t g = 0; g < plan_.given.size(); ++g) {
        const Role role = plan_.given[g].role;
        const Index columns = role == Role::features ? source.features.columns : role == Role::targets ? source.targets.columns : plan_.given[g].columns;
        if (columns != plan_.given[g].columns) throw PlanError("the data have other columns than the program");
        if (role == Role::features && sparse_) {
            if (source.sparse_wide) gather_sparse<std::int64_t>(source, rows, n);
            else gather_sparse<std::int32_t>(source, rows, n);
        } else if (role == Role::features || role == Role::targets) {
            if (!gathering_) gather_rows(g, rows, n, gathered_[g]);
        } else if (role == Role::weights) {
            if (!source.weights) throw PlanError("there are no weights");
            for (Index i = 0; i < n; ++i) gathered_[g][i] = static_cast<T>(source.weights[rows[i]]);
        } else if (role == Role::codes || role == Role::rows) {
            const Index* const from = role == Role::codes ? source.codes : source.places;
            if (role == Role::codes && !from) throw PlanError("there are no class codes");
            for (Index i = 0; i < n; ++i) gathered_integers_[g][i] = from ? from[rows[i]] : rows[i];
            if (code_limit_[g] != kNoLimit) check_codes(g, gathered_integers_[g], n);
        }
    }
}

template <class T> void Executor<T>::gather_rows(std::size_t given, const Index* rows, Index count, T* to) const {
    Gather what = plan_.given[given].role == Role::features ? source_->features : source_->targets;
    what.rows = rows;
    what.count = count;
    kernels_.gather(what, to);
}

template <class T> void Executor<T>::gather_panel(Index first, Index count) const {
    for (std::size_t g = 0; g < plan_.given.size(); ++g) {
        const Role role = plan_.given[g].role;
        if (role == Role::targets || (role == Role::features && !sparse_))
            gather_rows(g, batch_rows_ + first, count, gathered_[g] + first * plan_.given[g].columns);
    }
}

// The next batch's row, if this batch and that one have one each.
template <class T> void Executor<T>::gather_ahead(const Epoch& epoch, Index batch) {
    const Index* const bounds = epoch.bounds + 2 * batch;
    ahead_.gathered = ahead_.product >= 0 && !sparse_ && batch + 1 < epoch.batches && bounds[1] - bounds[0] == 1 && bounds[3] - bounds[2] == 1;
    if (!ahead_.gathered) return;
    const Index* const row = epoch.order + bounds[2];
    ahead_.gathered = row[0] >= 0 && row[0] < epoch.source.rows;
    if (!ahead_.gathered) return;
    Gather what = epoch.source.features;
    what.rows = row;
    what.count = 1;
    kernels_.gather(what, ahead_.row.get());
}

template <class T> Totals Executor<T>::run(const Epoch& epoch, double* sums) {
    const auto started = std::chrono::steady_clock::now();
    Team team(epoch.threads);
    const bool sparse = epoch.source.sparse_start != nullptr;
    if (sparse) check_sparse();
    if (sparse != sparse_) reserved_rows_ = -1;
    sparse_ = sparse;
    bind_vectors(epoch.vectors);
    ahead_.ready = false;
    Index most = 0;
    for (Index b = 0; b < epoch.batches; ++b) most = std::max(most, epoch.bounds[2 * b + 1] - epoch.bounds[2 * b]);
    reserve(most, true, team.size());
    for (std::size_t v = 0; v < base_.size(); ++v)
        if (plan_.values[v].storage == Storage::given) base_[v] = gathered_[static_cast<std::size_t>(plan_.values[v].index)];
    for (std::size_t g = 0; g < plan_.given.size(); ++g) integers_[g] = gathered_integers_[g];
    gathers_ = true;
    Totals totals;
    for (Index b = 0; b < epoch.batches; ++b) {
        const Index first = epoch.bounds[2 * b], last = epoch.bounds[2 * b + 1];
        const double* const row = epoch.table + (epoch.table_rows > 1 ? b * plan_.scalars : 0);
        for (Index s = 0; s < plan_.scalars; ++s) set_scalar(static_cast<std::size_t>(s), row[s]);
        lay_out(last - first, team.size());
        gather(epoch, b);
        seed_ = epoch.seed;
        step_ = epoch.first_step + static_cast<std::uint64_t>(b);
        gather_ahead(epoch, b);
        execute(team);
        ahead_.ready = ahead_.gathered;
        for (std::size_t o = 0; o < plan_.outputs.size(); ++o)
            sums[o] += (epoch.sums ? 1.0 : static_cast<double>(last - first)) * static_cast<double>(*base_[static_cast<std::size_t>(plan_.outputs[o])]);
        totals.batches = b + 1;
        totals.rows += last - first;
        if (!plan_.outputs.empty() && !std::isfinite(*base_[static_cast<std::size_t>(plan_.outputs[0])])) {
            totals.finite = false;
            break;
        }
        if ((b % 8 == 7 || cost_ > kWorthSharing || epoch.seconds <= 0) &&
            std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count() > epoch.seconds)
            break;
    }
    return totals;
}

template <class T> void Executor<T>::call(const Once& once) {
    Team team(once.threads);
    if (sparse_) reserved_rows_ = -1;
    sparse_ = false;
    bind_vectors(once.vectors);
    ahead_.ready = ahead_.gathered = false;
    reserve(once.n, reserved_gathers_, team.size());
    gathers_ = false;
    for (std::size_t v = 0; v < base_.size(); ++v)
        if (plan_.values[v].storage == Storage::given)
            base_[v] = static_cast<T*>(const_cast<void*>(once.given[plan_.values[v].index]));
    for (std::size_t g = 0; g < plan_.given.size(); ++g) {
        integers_[g] = plan_.given[g].integers ? static_cast<const Index*>(once.given[g]) : nullptr;
        if (plan_.given[g].integers && code_limit_[g] != kNoLimit) check_codes(g, integers_[g], plan_.given[g].count(once.n));
        if (plan_.given[g].role == Role::key) {
            seed_ = static_cast<std::uint64_t>(integers_[g][0]);
            step_ = static_cast<std::uint64_t>(integers_[g][1]);
        }
    }
    for (Index s = 0; s < plan_.scalars; ++s) set_scalar(static_cast<std::size_t>(s), once.scalars[s]);
    lay_out(once.n, team.size());
    execute(team);
    for (std::size_t o = 0; o < plan_.outputs.size(); ++o) {
        const int v = plan_.outputs[o];
        std::memcpy(once.outputs[o], base_[static_cast<std::size_t>(v)], static_cast<std::size_t>(value(v).count(once.n)) * sizeof(T));
    }
}

// Whether so few rows meet W' that dot products with W as it lies beat packing W'.
template <class T> bool Executor<T>::takes_dots(const Operation& op, const Laid& laid) const {
    const bool sparse = sparse_ && value(op.operands[0]).storage == Storage::given;
    return laid.rows * factor(value(op.result)) < kFewRows && !op.transpose_a && !sparse;
}

template <class T> void Executor<T>::pack_whole(int packed) {
    const int v = plan_.packed[static_cast<std::size_t>(packed)].value;
    kernels_.pack(base_[static_cast<std::size_t>(v)], value(v).rows, value(v).columns, 0, value(v).rows, packed_[static_cast<std::size_t>(packed)]);
    fresh_[static_cast<std::size_t>(packed)] = 1;
}

template <class T> void Executor<T>::execute(Team& team) {
    for (const Wave& wave : waves_) {
        for (std::size_t p = wave.first; p < wave.last; ++p) {
            const Phase& phase = plan_.phases[p];
            for (const Operation& op : phase.operations) {
                if (op.kind != Kind::matmul || !op.transpose_b || takes_dots(op, laid_[p])) continue;
                if (!plan_.packed[static_cast<std::size_t>(op.packed)].kept || !fresh_[static_cast<std::size_t>(op.packed)]) pack_whole(op.packed);
            }
        }
        const auto part = [&](int thread, Index i) {
            const Part& which = wave.parts[static_cast<std::size_t>(i)];
            const Laid& laid = laid_[which.phase];
            const Index first = which.panel * laid.panel_rows;
            execute_panel({&plan_.phases[which.phase], &laid, first, std::min(laid.panel_rows, laid.rows - first), thread, which.panel});
        };
        const Index parts = static_cast<Index>(wave.parts.size());
        if (wave.cost > kWorthSharing) {
            team.share(parts, part);
        } else {
            for (Index i = 0; i < parts; ++i) part(0, i);
        }
        for (std::size_t p = wave.first; p < wave.last; ++p)
            if (plan_.phases[p].has_sums) add_up_sums(p);
    }
}

// Sums of the panels, added in their order.
template <class T> void Executor<T>::add_up_sums(std::size_t phase) {
    const T* at = partial_sums_ + laid_[phase].first_sum[0];
    for (const Operation& op : plan_.phases[phase].operations)
        for (const int s : op.sums) {
            if (s < 0) continue;
            T total = 0;
            for (Index panel = 0; panel < laid_[phase].panels; ++panel) total += *at++;
            *base_[static_cast<std::size_t>(s)] = total;
        }
}

template class Executor<float>;
template class Executor<double>;

}  // namespace layerwise
