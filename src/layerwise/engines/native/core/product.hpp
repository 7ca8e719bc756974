// Matrix products: tiles of C held in registers while A and B stream past.
//
// Serves matmul of the vocabulary (rules/affine.py); its reference is NumpyOps.matmul. Every entry of C is summed over
// the inner dimension in one order, whatever the tile, so that rows may be cut among threads at will.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace layerwise::LW_ISA {

#if LW_VECTOR_BYTES == 64
constexpr int kAccumulators = 24;  // of 32 registers
constexpr int kBlockVectors = 4;
#else
constexpr int kAccumulators = 12;  // of 16 registers
constexpr int kBlockVectors = 2;
#endif
// Inner entries of B that are used by all rows before the next ones: they stay in the second-level cache.
constexpr Index kInnerBlock = 1024;

constexpr int tile_rows(int vectors) { return kAccumulators / vectors; }

// One tile: ROWS rows of C, VECTORS vectors of columns of which the last has `last` valid lanes.
template <class T, int ROWS, int VECTORS>
void tile(const Product<T>& p, Index row, Index column, const T* B, Index B_stride, Index from, Index to, int last) {
    using S = Simd<T>;
    using V = typename S::V;
    constexpr int W = S::width;
    V sum[ROWS][VECTORS];
    T* C = p.C + row * p.columns + column;
    const bool whole = last == W;
    if (from > 0) {
        for (int r = 0; r < ROWS; ++r)
            for (int v = 0; v < VECTORS; ++v)
                sum[r][v] = v < VECTORS - 1 || whole ? S::load(C + r * p.columns + v * W) : S::load_partial(C + r * p.columns + v * W, last);
    } else {
        for (int v = 0; v < VECTORS; ++v) {
            V bias{};
            if (p.bias) bias = v < VECTORS - 1 || whole ? S::load(p.bias + column + v * W) : S::load_partial(p.bias + column + v * W, last);
            for (int r = 0; r < ROWS; ++r) sum[r][v] = bias;
        }
    }
    const T* A = p.A + row * p.A_row_stride;
    const Index row_stride = p.A_row_stride, inner_stride = p.A_inner_stride;
    const auto accumulate = [&](auto load_last) LW_INLINE_LAMBDA {
        const T* b = B;
        const T* a = A + from * inner_stride;
        for (Index k = from; k < to; ++k, b += B_stride, a += inner_stride) {
            V columns[VECTORS];
            for (int v = 0; v < VECTORS - 1; ++v) columns[v] = S::load(b + v * W);
            columns[VECTORS - 1] = load_last(b + (VECTORS - 1) * W);
            for (int r = 0; r < ROWS; ++r) {
                const V broadcast = S::broadcast(a[r * row_stride]);
                for (int v = 0; v < VECTORS; ++v) sum[r][v] = S::fma(broadcast, columns[v], sum[r][v]);
            }
        }
    };
    if (whole || p.B_packed)  // packed blocks are padded
        accumulate([](const T* b) LW_INLINE_LAMBDA { return S::load(b); });
    else
        accumulate([last](const T* b) LW_INLINE_LAMBDA { return S::load_partial(b, last); });
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) {
            if (v < VECTORS - 1 || whole) S::store(C + r * p.columns + v * W, sum[r][v]);
            else S::store_partial(C + r * p.columns + v * W, sum[r][v], last);
        }
}

template <class T> using Tile = void (*)(const Product<T>&, Index, Index, const T*, Index, Index, Index, int);

// By height less one. (Not std::array: its members, compiled here for this instruction set, could be linked elsewhere.)
template <class T, int HEIGHT> struct Tiles {
    Tile<T> of_height[HEIGHT];
};

template <class T, int VECTORS, std::size_t... ROWS>
constexpr Tiles<T, sizeof...(ROWS)> tiles_of(std::index_sequence<ROWS...>) {
    return {{tile<T, static_cast<int>(ROWS) + 1, VECTORS>...}};
}

// All rows of VECTORS vectors of columns, in tiles of nearly equal height.
template <class T, int VECTORS>
void column_block(const Product<T>& p, Index column, const T* B, Index B_stride, Index from, Index to, int last) {
    constexpr int height = tile_rows(VECTORS);
    static constexpr auto tiles = tiles_of<T, VECTORS>(std::make_index_sequence<height>{});
    const Index count = (p.rows + height - 1) / height;
    Index row = 0;
    for (Index i = 0; i < count; ++i) {
        const Index rows = (p.rows - row) / (count - i);
        tiles.of_height[rows - 1](p, row, column, B, B_stride, from, to, last);
        row += rows;
    }
}

template <class T> void multiply(const Product<T>& p) {
    constexpr int W = Simd<T>::width;
    constexpr int block = kBlockVectors * W;
    for (Index from = 0; from < p.inner || from == 0; from += kInnerBlock) {
        const Index to = from + kInnerBlock < p.inner ? from + kInnerBlock : p.inner;
        for (Index column = 0; column < p.columns; column += block) {
            const Index left = p.columns - column < block ? p.columns - column : block;
            const int vectors = static_cast<int>((left + W - 1) / W), last = static_cast<int>(left - (vectors - 1) * W);
            const Index stride = p.B_packed ? block : p.B_stride;
            const T* B = p.B_packed ? p.B + (column * p.inner + from * block) : p.B + from * p.B_stride + column;
            switch (vectors) {
                case 1: column_block<T, 1>(p, column, B, stride, from, to, last); break;
                case 2: column_block<T, 2>(p, column, B, stride, from, to, last); break;
#if LW_VECTOR_BYTES == 64
                case 3: column_block<T, 3>(p, column, B, stride, from, to, last); break;
                default: column_block<T, 4>(p, column, B, stride, from, to, last); break;
#endif
            }
        }
    }
}

// The lanes of a, and behind them those of b, by number.
template <class T, int... LANE> LW_INLINE typename Simd<T>::V shuffle(typename Simd<T>::V a, typename Simd<T>::V b) {
#if defined(__clang__) || __GNUC__ >= 12
    return __builtin_shufflevector(a, b, LANE...);
#else
    const typename Simd<T>::I lanes = {static_cast<typename Simd<T>::Int>(LANE)...};
    return __builtin_shuffle(a, b, lanes);
#endif
}

// Interleaves the lower (or upper) halves of two vectors: a0 b0 a1 b1 ...
template <class T, bool UPPER, std::size_t... LANE>
LW_INLINE typename Simd<T>::V interleave(typename Simd<T>::V a, typename Simd<T>::V b, std::index_sequence<LANE...>) {
    constexpr int W = Simd<T>::width;
    return shuffle<T, (static_cast<int>(LANE / 2) + (UPPER ? W / 2 : 0) + (LANE % 2 ? W : 0))...>(a, b);
}
template <class T, bool UPPER> LW_INLINE typename Simd<T>::V interleave(typename Simd<T>::V a, typename Simd<T>::V b) {
    return interleave<T, UPPER>(a, b, std::make_index_sequence<static_cast<std::size_t>(Simd<T>::width)>{});
}

// Lane l is a[l] joined with its partner, the lane DISTANCE away, where l has not the bit DISTANCE; where it has, b's.
template <class T, int DISTANCE, class F, std::size_t... LANE>
LW_INLINE typename Simd<T>::V joined_partners(typename Simd<T>::V a, typename Simd<T>::V b, F f, std::index_sequence<LANE...>) {
    constexpr int W = Simd<T>::width;
    const typename Simd<T>::V own = shuffle<T, (static_cast<int>(LANE) & DISTANCE ? W : 0) + static_cast<int>(LANE)...>(a, b);
    const typename Simd<T>::V partner = shuffle<T, (static_cast<int>(LANE) & DISTANCE ? W : 0) + (static_cast<int>(LANE) ^ DISTANCE)...>(a, b);
    return f(own, partner);
}

template <class T, int DISTANCE, class F> LW_INLINE void join_halves(typename Simd<T>::V* v, F f) {
    constexpr int W = Simd<T>::width;
    for (int i = 0; i < DISTANCE; ++i) v[i] = joined_partners<T, DISTANCE>(v[i], v[i + DISTANCE], f, std::make_index_sequence<static_cast<std::size_t>(W)>{});
    if constexpr (DISTANCE > 1) join_halves<T, DISTANCE / 2>(v, f);
}

// Lane i of the result is what f makes of all lanes of v[i].
template <class T, class F> LW_INLINE typename Simd<T>::V joined_lanes(typename Simd<T>::V* v, F f) {
    join_halves<T, Simd<T>::width / 2>(v, f);
    return v[0];
}

// Dot products are sums of two: of the even vectors of a row, and of the odd ones and the rest. So additions need not
// wait for each other, and formulas.hpp, which makes one row's product after the other, gives the same bits.
template <class T> struct Dot {
    typename Simd<T>::V even{}, odd{};
    LW_INLINE typename Simd<T>::V lanes() const { return even + odd; }
};

// C = bias + A B' by dot products: for so few rows that packing B' would cost more than it saves.
template <class T> void multiply_transposed(const Product<T>& p) {
    using S = Simd<T>;
    using V = typename S::V;
    constexpr int W = S::width;
    constexpr int side_by_side = W < 8 ? W : 8;
    const Index pairs = p.inner / (2 * W) * 2 * W, whole = p.inner / W * W;
    const int rest = static_cast<int>(p.inner - whole);
    for (Index r = 0; r < p.rows; ++r) {
        const T* a = p.A + r * p.A_row_stride;
        for (Index column = 0; column < p.columns; column += W) {
            const int valid = static_cast<int>(p.columns - column < W ? p.columns - column : W);
            V sum[W] = {};
            each<W / side_by_side>([&](auto group) LW_INLINE_LAMBDA {
                constexpr int first = group * side_by_side;
                if (first >= valid) return;
                const T* b[side_by_side];
                Dot<T> dot[side_by_side];
                for (int i = 0; i < side_by_side; ++i) b[i] = p.B + (column + (first + i < valid ? first + i : first)) * p.B_stride;
                for (Index k = 0; k < pairs; k += 2 * W) {
                    const V x = S::load(a + k), y = S::load(a + k + W);
                    for (int i = 0; i < side_by_side; ++i) {
                        dot[i].even = S::fma(x, S::load(b[i] + k), dot[i].even);
                        dot[i].odd = S::fma(y, S::load(b[i] + k + W), dot[i].odd);
                    }
                }
                if (pairs < whole) {
                    const V x = S::load(a + pairs);
                    for (int i = 0; i < side_by_side; ++i) dot[i].even = S::fma(x, S::load(b[i] + pairs), dot[i].even);
                }
                if (rest) {
                    const V x = S::load_partial(a + whole, rest);
                    for (int i = 0; i < side_by_side; ++i) dot[i].odd = S::fma(x, S::load_partial(b[i] + whole, rest), dot[i].odd);
                }
                for (int i = 0; i < side_by_side; ++i) sum[first + i] = dot[i].lanes();
            });
            V total = joined_lanes<T>(sum, [](V x, V y) LW_INLINE_LAMBDA { return x + y; });
            if (p.bias) total = total + S::load_partial(p.bias + column, valid);
            S::store_partial(p.C + r * p.columns + column, total, valid);
        }
    }
}

// The transpose of W x W entries, in place.
template <class T> LW_INLINE void transpose(typename Simd<T>::V* v) {
    using V = typename Simd<T>::V;
    constexpr int W = Simd<T>::width;
    for (int round = 1; round < W; round *= 2) {
        V next[W];
        for (int i = 0; i < W / 2; ++i) {
            next[2 * i] = interleave<T, false>(v[i], v[i + W / 2]);
            next[2 * i + 1] = interleave<T, true>(v[i], v[i + W / 2]);
        }
        for (int i = 0; i < W; ++i) v[i] = next[i];
    }
}

template <class T> void pack(const T* matrix, Index outputs, Index inputs, Index first, Index last, T* packed) {
    using S = Simd<T>;
    using V = typename S::V;
    constexpr int W = S::width;
    constexpr Index block = kBlockVectors * W;
    for (Index group = first / W * W; group < last; group += W) {  // W outputs side by side in one block
        T* to = packed + group / block * block * inputs + group % block;
        const int valid = static_cast<int>(outputs - group < W ? outputs - group : W);
        for (Index k = 0; k < inputs; k += W) {
            const int count = static_cast<int>(inputs - k < W ? inputs - k : W);
            V v[W];
            for (int i = 0; i < W; ++i) {
                const T* from = matrix + (group + i) * inputs + k;
                v[i] = i >= valid ? V{} : count == W ? S::load(from) : S::load_partial(from, count);
            }
            transpose<T>(v);
            for (int i = 0; i < count; ++i) S::store(to + (k + i) * block, v[i]);
        }
    }
}

}  // namespace layerwise::LW_ISA
