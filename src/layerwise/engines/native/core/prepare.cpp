// What an executor makes of a plan when it is loaded, and keeps: constants, code for known formulas, what can be fused.
#include <algorithm>
#include <cstring>

#include "execute.hpp"

namespace layerwise {

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
        if (waves_.empty() || plan_.phases[waves_.back().first].level != plan_.phases[p].level) waves_.push_back({p, p, {}, {}, 0});
        waves_.back().last = p + 1;
    }
    find_gathering();
    find_sums_of_one_row();
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
    made.gradient = op.product >= 0 ? 0 : -1;
    while (made.gradient >= 0 && op.operands[static_cast<std::size_t>(made.gradient)] != op.product_result) ++made.gradient;
    const std::size_t results = op.results.size();
    const auto summed = std::make_unique<bool[]>(results);
    for (std::size_t i = 0; i < results; ++i) summed[i] = op.sums[i] >= 0;
    const FormulaCode code{static_cast<int>(op.operands.size()), static_cast<int>(op.formula.constants.size()), op.formula.temporaries,
                           static_cast<int>(op.formula.instructions.size()), static_cast<int>(results), op.covers.data(), summed.get(),
                           op.formula.instructions.data(), made.gradient};
    made.known = kernels_.known_map(code, false);
    made.known_outer = kernels_.known_map(code, true);
    made.covers = op.covers;
    for (std::size_t i = 0; i < op.covers.size(); ++i) {
        const Storage storage = value(op.operands[i]).storage;
        if (op.covers[i] == Cover::scalar && (storage == Storage::scalar || storage == Storage::row_count)) made.covers[i] = Cover::copies;
    }
    made.outer_covers = made.covers;
    if (made.gradient >= 0) made.outer_covers[static_cast<std::size_t>(made.gradient)] = Cover::outer;
    for (std::size_t i = 0; i < op.operands.size(); ++i)
        made.operands.push_back(place_of(op.operands[i], op.covers[i] == Cover::full || op.covers[i] == Cover::column));
    for (const int result : op.results) made.results.push_back(result >= 0 ? place_of(result, true) : Place{-1, nullptr, 0});
    Map<T>& m = made.map;
    m.columns = op.columns;
    m.operands = code.operands;
    m.constants = code.constants;
    m.temporaries = code.temporaries;
    m.instructions = code.instructions;
    m.results = code.results;
    m.constant = copies_of(op.formula.constants);
    m.instruction = code.instruction;
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

// A sum over the rows of a batch is, for a batch of one row, that row: then it need not be copied. Of values that are kept
// whole, have no other shape, and are no outputs.
template <class T> void Executor<T>::find_sums_of_one_row() {
    const auto shapes = [&](int v) {
        return std::count_if(plan_.values.begin(), plan_.values.end(), [&](const Value& other) {
            return other.storage == Storage::full && other.index == value(v).index;
        });
    };
    for (const Phase& phase : plan_.phases)
        for (const Operation& op : phase.operations) {
            if (op.kind != Kind::sum_rows) continue;
            const Value &out = value(op.result), &a = value(op.operands[0]);
            const bool is_output = std::count(plan_.outputs.begin(), plan_.outputs.end(), op.result) > 0;
            if (out.storage == Storage::full && a.storage == Storage::full && a.symbolic && a.rows == 1 && shapes(op.result) == 1 && !is_output)
                same_for_one_row_.emplace_back(op.result, op.operands[0]);
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

template <class T> typename Executor<T>::Place Executor<T>::place_of(int v, bool follows) const {
    const Value& x = value(v);
    return {x.storage == Storage::slot ? x.index : -1, &base_[static_cast<std::size_t>(v)], follows ? factor(x) * x.columns : 0};
}

template <class T> void Executor<T>::set_scalar(std::size_t scalar, double value) {
    T* const at = &scalars_[scalar * static_cast<std::size_t>(kernels_.vector_width)];
    const T number = static_cast<T>(value);
    if (std::memcmp(at, &number, sizeof number) != 0) std::fill_n(at, kernels_.vector_width, number);
}

template class Executor<float>;
template class Executor<double>;

}  // namespace layerwise
