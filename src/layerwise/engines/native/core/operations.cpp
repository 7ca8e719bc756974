// The operations of a plan on one block of rows.
#include <algorithm>
#include <cstring>

#include "execute.hpp"

namespace layerwise {

template <class T> void Executor<T>::execute_panel(const Rows& rows) noexcept {
    if (gathers_ && rows.phase == gathering_) gather_panel(rows.first, rows.count);
    for (const Operation& op : rows.phase->operations) execute_operation(op, rows);
}

template <class T> void Executor<T>::execute_operation(const Operation& op, const Rows& rows) {
    switch (op.kind) {
        case Kind::matmul: return matmul(op, rows);
        case Kind::map: return map(op, rows);
        case Kind::sum_rows: {
            const Value& a = value(op.operands[0]);
            if (whole(op.operands[0], rows) == whole(op.result, rows)) return;  // of one row
            return kernels_.sum_rows(whole(op.operands[0], rows), a.count(n_) / a.columns, a.columns, whole(op.result, rows));
        }
        case Kind::sum_columns: case Kind::max_columns: {
            const Value& a = value(op.operands[0]);
            return (op.kind == Kind::sum_columns ? kernels_.sum_columns : kernels_.max_columns)(
                present(op.operands[0], rows), rows.count * factor(a), a.columns, present(op.result, rows));
        }
        case Kind::pick: return pick(op, rows);
        case Kind::one_hot: {
            const Index columns = value(op.result).columns, count = rows.count * factor(value(op.result));
            const Index* const c = codes(op.operands[0], rows);
            T* const out = present(op.result, rows);
            std::memset(out, 0, static_cast<std::size_t>(count * columns) * sizeof(T));
            for (Index i = 0; i < count; ++i)  // a code of no column leaves a row of zeros, as in the reference
                if (c[i] >= 0 && c[i] < columns) out[i * columns + c[i]] = 1;
            return;
        }
        case Kind::gather_rows: {
            const Value& a = value(op.operands[0]);
            const Index* const c = codes(op.operands[1], rows);
            const T* const from = whole(op.operands[0], rows);
            T* const out = present(op.result, rows);
            for (Index i = 0, count = rows.count * factor(value(op.result)); i < count; ++i)
                std::memcpy(out + i * a.columns, from + c[i] * a.columns, static_cast<std::size_t>(a.columns) * sizeof(T));
            return;
        }
        case Kind::scatter_add_rows: return scatter(op);
        case Kind::grouped_matmul: return grouped_matmul(op, rows);
        case Kind::concatenate: {
            const Index columns = value(op.result).columns, count = rows.count * factor(value(op.result));
            T* out = present(op.result, rows);
            for (const int v : op.operands) {
                const Index width = value(v).columns;
                const T* const from = present(v, rows);
                for (Index i = 0; i < count; ++i) std::memcpy(out + i * columns, from + i * width, static_cast<std::size_t>(width) * sizeof(T));
                out += width;
            }
            return;
        }
        case Kind::slice_columns: {
            const Index columns = value(op.result).columns, width = value(op.operands[0]).columns;
            const T* const from = present(op.operands[0], rows) + op.start;
            T* const out = present(op.result, rows);
            for (Index i = 0, count = rows.count * factor(value(op.result)); i < count; ++i)
                std::memcpy(out + i * columns, from + i * width, static_cast<std::size_t>(columns) * sizeof(T));
            return;
        }
        case Kind::uniform: {
            const Index columns = value(op.result).columns;
            const Index* const places = codes(op.operands[0], rows);
            T* const out = present(op.result, rows);
            for (Index i = 0, count = rows.count * factor(value(op.result)); i < count; ++i)
                kernels_.uniform(out + i * columns, columns, static_cast<std::uint32_t>(places[i]), static_cast<std::uint32_t>(step_),
                                 static_cast<std::uint32_t>(op.purpose_layer), seed_);
            return;
        }
        case Kind::copy: {
            const Value& out = value(op.result);
            std::memmove(present(op.result, rows), present(op.operands[0], rows), static_cast<std::size_t>(rows.count * factor(out) * out.columns) * sizeof(T));
            return;
        }
        case Kind::pack: {
            if (!fresh_[static_cast<std::size_t>(op.packed)]) return;  // nobody has needed it yet
            const int v = plan_.packed[static_cast<std::size_t>(op.packed)].value;
            return kernels_.pack(base_[static_cast<std::size_t>(v)], value(v).rows, value(v).columns, rows.first, rows.first + rows.count, packed_[static_cast<std::size_t>(op.packed)]);
        }
        case Kind::columns: return columns(op, rows);
        case Kind::count: return;
    }
}

template <class T> void Executor<T>::matmul(const Operation& op, const Rows& rows) {
    const Value &out = value(op.result), &a = value(op.operands[0]), &b = value(op.operands[1]);
    const auto is_features = [&](const Value& v) {
        return sparse_ && v.storage == Storage::given && plan_.given[static_cast<std::size_t>(v.index)].role == Role::features;
    };
    Product<T> p{};
    p.rows = rows.count * factor(out);
    p.columns = out.columns;
    p.C = present(op.result, rows);
    p.bias = op.bias >= 0 ? whole(op.bias, rows) : nullptr;
    if (is_features(a)) {
        const SparseRows<T> X{sparse_start_.data() + rows.first, sparse_column_.data(), sparse_value_.data()};
        return kernels_.multiply_sparse(X, p.rows, p.columns, a.columns, packed_[static_cast<std::size_t>(op.packed)], p.bias, p.C);
    }
    if (is_features(b)) {
        const SparseRows<T> X{sparse_start_.data(), sparse_column_.data(), sparse_value_.data()};
        return kernels_.multiply_by_sparse(X, n_, p.columns, whole(op.operands[0], rows), a.columns, rows.first, rows.first + rows.count, p.C);
    }
    if (op.transpose_a) {
        p.inner = a.count(n_) / a.columns;
        p.A = whole(op.operands[0], rows) + rows.first;
        p.A_row_stride = 1;
        p.A_inner_stride = a.columns;
    } else {
        p.inner = a.columns;
        p.A = present(op.operands[0], rows);
        p.A_row_stride = a.columns;
        p.A_inner_stride = 1;
    }
    if (is_outer(op)) return;  // the formula that follows computes it as it goes
    p.B = whole(op.operands[1], rows);
    p.B_stride = b.columns;
    if (!op.transpose_b) return kernels_.multiply(p);
    if (takes_dots(op, *rows.laid)) {
        if (!ahead_.ready || op.number != ahead_.product) return kernels_.multiply_transposed(p);
        for (Index j = 0; j < p.columns; ++j) p.C[j] = p.bias ? ahead_.products[static_cast<std::size_t>(j)] + p.bias[j] : ahead_.products[static_cast<std::size_t>(j)];
        return;
    }
    p.B = packed_[static_cast<std::size_t>(op.packed)];
    p.B_packed = true;
    kernels_.multiply(p);
}

// A sum over one row: the product of a column and a row, which a formula can take as its operand without storing it.
template <class T> bool Executor<T>::is_outer(const Operation& op) const {
    const Value& a = value(op.operands[0]);
    return op.may_be_outer && a.count(n_) == a.columns && !(sparse_ && value(op.operands[1]).storage == Storage::given);
}

template <class T> void Executor<T>::map(const Operation& op, const Rows& rows) {
    constexpr std::size_t most = 64;
    const Prepared& prepared = prepared_[static_cast<std::size_t>(op.number)];
    const T* operands[most];
    T *results[most], *sums[most];
    for (std::size_t i = 0; i < prepared.operands.size(); ++i) operands[i] = at(prepared.operands[i], rows);
    for (std::size_t i = 0; i < prepared.results.size(); ++i) {
        results[i] = prepared.results[i].base ? at(prepared.results[i], rows) : nullptr;
        sums[i] = nullptr;
    }
    if (rows.phase->has_sums) {
        Index number = rows.laid->first_sum[static_cast<std::size_t>(&op - rows.phase->operations.data())];
        for (std::size_t i = 0; i < op.sums.size(); ++i) {
            if (op.sums[i] < 0) continue;
            sums[i] = partial_sums_ + number + rows.panel;
            number += rows.laid->panels;
        }
    }
    Map<T> m = prepared.map;
    m.rows = rows.count * (rows.phase->symbolic ? op.rows_each : 1);
    m.operand = operands;
    m.cover = prepared.covers.data();
    m.result = results;
    m.sum = sums;
    auto known = prepared.known;
    if (op.product >= 0 && is_outer(rows.phase->operations[static_cast<std::size_t>(op.product)])) {
        const Operation& product = rows.phase->operations[static_cast<std::size_t>(op.product)];
        known = prepared.known_outer;
        m.cover = prepared.outer_covers.data();
        operands[prepared.gradient] = whole(product.operands[1], rows);
        m.outer_column = whole(product.operands[0], rows) + rows.first;
        if (ahead_.gathered && op.number == ahead_.update) {
            m.ahead_row = ahead_.row.get();
            m.ahead = ahead_.products.get() + rows.first;
        }
    }
    if (known) return known(m);
    // What follows the present rows belongs to another panel, and perhaps to another thread; behind the last is room.
    m.may_overrun = !op.exact && (gathers_ || !op.reads_given);
    m.room = m.rows * m.columns + (rows.first + rows.count == rows.laid->rows ? kernels_.vector_width : 0);
    m.workspace = workspace_[static_cast<std::size_t>(rows.thread)];
    kernels_.map(m);
}

template <class T> void Executor<T>::columns(const Operation& op, const Rows& rows) {
    constexpr std::size_t most = 64;
    const T* inputs[most];
    const Index* input_codes[most];
    T* results[most];
    for (std::size_t i = 0; i < op.operands.size(); ++i) {
        const Value& v = value(op.operands[i]);
        const bool integers = v.storage == Storage::given && plan_.given[static_cast<std::size_t>(v.index)].integers;
        input_codes[i] = integers ? codes(op.operands[i], rows) : nullptr;
        inputs[i] = integers ? nullptr : op.widths[i] ? present(op.operands[i], rows) : whole(op.operands[i], rows);
    }
    for (std::size_t i = 0; i < op.results.size(); ++i) results[i] = present(op.results[i], rows);
    const Prepared& prepared = prepared_[static_cast<std::size_t>(op.number)];
    Columns<T> c;
    c.rows = rows.count;
    c.single_row = n_ == 1;
    c.inputs = static_cast<int>(op.operands.size());
    c.registers = static_cast<int>(op.widths.size());
    c.parts = static_cast<int>(prepared.parts.size());
    c.results = static_cast<int>(op.results.size());
    c.width = op.widths.data();
    c.input = inputs;
    c.codes = input_codes;
    c.part = prepared.parts.data();
    c.result_register = op.result_registers.data();
    c.result = results;
    c.workspace = workspace_[static_cast<std::size_t>(rows.thread)];
    kernels_.columns(c);
}

template <class T> void Executor<T>::pick(const Operation& op, const Rows& rows) {
    const Index columns = value(op.operands[0]).columns;
    const T* const a = present(op.operands[0], rows);
    const Index* const c = codes(op.operands[1], rows);
    T* const out = present(op.result, rows);
    for (Index i = 0, count = rows.count * factor(value(op.result)); i < count; ++i) out[i] = a[i * columns + c[i]];
}

template <class T> void Executor<T>::scatter(const Operation& op) {
    const Value &out = value(op.result), &a = value(op.operands[0]);
    T* const to = base_[static_cast<std::size_t>(op.result)];
    const T* const from = base_[static_cast<std::size_t>(op.operands[0])];
    const Index* const c = integers_[static_cast<std::size_t>(value(op.operands[1]).index)];
    std::memset(to, 0, static_cast<std::size_t>(out.count(n_)) * sizeof(T));
    for (Index i = 0, count = a.count(n_) / a.columns; i < count; ++i) {
        T* const row = to + c[i] * a.columns;
        for (Index j = 0; j < a.columns; ++j) row[j] += from[i * a.columns + j];
    }
}

template <class T> void Executor<T>::grouped_matmul(const Operation& op, const Rows& rows) {
    const Value &out = value(op.result), &a = value(op.operands[0]);
    const Index groups = op.groups, inner = a.columns / groups, width = out.columns / groups;
    const T* const from = present(op.operands[0], rows);
    const T* const B = whole(op.operands[1], rows);
    T* const to = present(op.result, rows);
    for (Index i = 0, count = rows.count * factor(out); i < count; ++i)
        for (Index g = 0; g < groups; ++g)
            for (Index j = 0; j < width; ++j) {
                const T* const x = from + i * a.columns + g * inner;
                const T* const b = B + g * inner * width;
                T sum = 0;
                for (Index k = 0; k < inner; ++k) sum += x[k] * (op.transpose_b ? b[j * inner + k] : b[k * width + j]);
                to[i * out.columns + g * width + j] = sum;
            }
}

template class Executor<float>;
template class Executor<double>;

}  // namespace layerwise
