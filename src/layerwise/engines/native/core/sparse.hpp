// Products with sparse rows: the first layer of a network whose inputs are mostly zero.
//
// Serve matmul with the features as its sparse operand; their reference is NumpyOps.matmul on the same rows made dense.
#pragma once

#include "kernels.hpp"
#include "product.hpp"
#include "simd.hpp"

namespace layerwise::LW_ISA {

// C = bias + X W', W' in packed blocks: each entry of a row adds one row of each block.
template <class T>
void multiply_sparse(const SparseRows<T>& X, Index rows, Index columns, Index inner, const T* packed, const T* bias, T* C) {
    using S = Simd<T>;
    using V = typename S::V;
    constexpr int W = S::width;
    constexpr Index block = kBlockVectors * W;
    for (Index row = 0; row < rows; ++row)
        for (Index column = 0; column < columns; column += block) {
            const Index valid = columns - column < block ? columns - column : block;
            V sum[kBlockVectors];
            for (int v = 0; v < kBlockVectors; ++v) {
                const Index lanes = valid - v * W;
                sum[v] = bias && lanes > 0 ? S::load_partial(bias + column + v * W, static_cast<int>(lanes < W ? lanes : W)) : V{};
            }
            for (Index i = X.start[row]; i < X.start[row + 1]; ++i) {
                const V x = S::broadcast(X.value[i]);
                const T* w = packed + column * inner + X.column[i] * block;
                for (int v = 0; v < kBlockVectors; ++v) sum[v] = S::fma(x, S::load(w + v * W), sum[v]);
            }
            for (int v = 0; v < kBlockVectors; ++v) {
                const Index lanes = valid - v * W;
                if (lanes > 0) S::store_partial(C + row * columns + column + v * W, sum[v], static_cast<int>(lanes < W ? lanes : W));
            }
        }
}

// C (last - first, inputs) = rows first..last of grad' X: each entry of X adds to one column.
template <class T>
void multiply_by_sparse(const SparseRows<T>& X, Index rows, Index inputs, const T* grad, Index outputs, Index first, Index last, T* C) {
    std::memset(C, 0, static_cast<std::size_t>((last - first) * inputs) * sizeof(T));
    for (Index unit = first; unit < last; ++unit) {
        T* to = C + (unit - first) * inputs;
        for (Index row = 0; row < rows; ++row) {
            const T g = grad[row * outputs + unit];
            for (Index i = X.start[row]; i < X.start[row + 1]; ++i) to[X.column[i]] += g * X.value[i];
        }
    }
}

}  // namespace layerwise::LW_ISA
