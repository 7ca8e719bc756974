// A batch's rows: gathered, converted and checked.
#include <algorithm>

#include "execute.hpp"

namespace layerwise {

// Codes are checked before anything runs, so that operations can trust them.
template <class T> void Executor<T>::check_codes(std::size_t given, const Index* codes, Index count) const {
    for (Index i = 0; i < count; ++i)
        if (codes[i] < 0 || codes[i] >= code_limit_[given]) throw PlanError("a class code is out of range: " + std::to_string(codes[i]));
}

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

template class Executor<float>;
template class Executor<double>;

}  // namespace layerwise
