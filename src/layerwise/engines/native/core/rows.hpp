// Reductions of matrices, and rows gathered from a data set with conversion.
//
// Serve sum_rows, sum_columns and max_columns of the vocabulary (reference: ops/numpy_ops.py) and Source.gather.
#pragma once

#include "kernels.hpp"
#include "product.hpp"
#include "simd.hpp"
#include "vector_math.hpp"

namespace layerwise::LW_ISA {

template <class T> void sum_rows(const T* A, Index rows, Index columns, T* out) {
    using S = Simd<T>;
    using V = typename S::V;
    constexpr int W = S::width;
    for (Index column = 0; column < columns; column += W) {
        const int lanes = static_cast<int>(columns - column < W ? columns - column : W);
        V sum[4] = {};  // four chains, so that additions need not wait for each other
        const T* a = A + column;
        Index row = 0;
        if (lanes == W) {
            for (; row + 4 <= rows; row += 4)
                for (int i = 0; i < 4; ++i) sum[i] = sum[i] + S::load(a + (row + i) * columns);
            for (; row < rows; ++row) sum[0] = sum[0] + S::load(a + row * columns);
        } else {
            for (; row + 4 <= rows; row += 4)
                for (int i = 0; i < 4; ++i) sum[i] = sum[i] + S::load_partial(a + (row + i) * columns, lanes);
            for (; row < rows; ++row) sum[0] = sum[0] + S::load_partial(a + row * columns, lanes);
        }
        S::store_partial(out + column, (sum[0] + sum[1]) + (sum[2] + sum[3]), lanes);
    }
}

// One number for each row: W rows at once, each in a vector, then all their lanes together. `f` joins two vectors; it is
// given the first entry of the row where a row's last vector has no entry, or 0 if `zeros`.
template <class T, class F> LW_INLINE void reduce_columns(const T* A, Index rows, Index columns, T* out, bool zeros, F f) {
    using S = Simd<T>;
    using V = typename S::V;
    constexpr int W = S::width;
    const Index whole = columns / W * W;
    const int rest = static_cast<int>(columns - whole);
    typename S::I lane;
    for (int i = 0; i < W; ++i) lane[i] = i;
    const auto missing = lane >= static_cast<typename S::Int>(rest);
    for (Index row = 0; row < rows; row += W) {
        const int valid = static_cast<int>(rows - row < W ? rows - row : W);
        V joined[W];
        for (int i = 0; i < W; ++i) {
            const T* a = A + (row + (i < valid ? i : 0)) * columns;
            const V filler = zeros ? V{} : S::broadcast(a[0]);
            V v = filler;
            if (whole) v = S::load(a);
            for (Index column = W; column < whole; column += W) v = f(v, S::load(a + column));
            if (rest) {
                const V last = missing ? filler : S::load_partial(a + whole, rest);
                v = whole ? f(v, last) : last;
            }
            joined[i] = v;
        }
        S::store_partial(out + row, joined_lanes<T>(joined, f), valid);
    }
}

template <class T> void sum_columns(const T* A, Index rows, Index columns, T* out) {
    reduce_columns(A, rows, columns, out, true, [](typename Simd<T>::V x, typename Simd<T>::V y) { return x + y; });
}

template <class T> void max_columns(const T* A, Index rows, Index columns, T* out) {
    reduce_columns(A, rows, columns, out, false, [](typename Simd<T>::V x, typename Simd<T>::V y) { return VectorMath<T>::max(x, y); });
}

template <class From, class T> void gather_numbers(const Gather& g, T* out) {
    const char* data = static_cast<const char*>(g.data);
    const bool dense = g.column_stride == static_cast<Index>(sizeof(From));
    for (Index i = 0; i < g.count; ++i, out += g.columns) {
        const char* row = data + g.rows[i] * g.row_stride;
        if (dense) {
            for (Index c = 0; c < g.columns; ++c) {
                From x;
                std::memcpy(&x, row + c * static_cast<Index>(sizeof(From)), sizeof x);
                out[c] = static_cast<T>(x);
            }
        } else {
            for (Index c = 0; c < g.columns; ++c) {
                From x;
                std::memcpy(&x, row + c * g.column_stride, sizeof x);
                out[c] = static_cast<T>(x);
            }
        }
    }
}

template <class T> void gather(const Gather& g, T* out) {
    switch (g.number) {
        case Number::f32: return gather_numbers<float, T>(g, out);
        case Number::f64: return gather_numbers<double, T>(g, out);
        case Number::u8: return gather_numbers<std::uint8_t, T>(g, out);
        case Number::i8: return gather_numbers<std::int8_t, T>(g, out);
        case Number::u16: return gather_numbers<std::uint16_t, T>(g, out);
        case Number::i16: return gather_numbers<std::int16_t, T>(g, out);
        case Number::u32: return gather_numbers<std::uint32_t, T>(g, out);
        case Number::i32: return gather_numbers<std::int32_t, T>(g, out);
        case Number::u64: return gather_numbers<std::uint64_t, T>(g, out);
        case Number::i64: return gather_numbers<std::int64_t, T>(g, out);
        case Number::count: return;
    }
}

}  // namespace layerwise::LW_ISA
