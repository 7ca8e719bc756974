// Formulas that the compiler has seen: all their values stay in registers, an element is loaded and stored once.
//
// Serves map of the vocabulary like map.hpp, with the same bytecode; only here it is a constant that the compiler
// unrolls. Which formulas these are says known_formulas.inc; every other one runs in map.hpp. Its reference is
// ops/numpy_ops.py, evaluate.
#pragma once

#include "kernels.hpp"
#include "product.hpp"
#include "simd.hpp"
#include "vector_math.hpp"

namespace layerwise::LW_ISA {

template <class... F> struct FormulaList {};

#include "known_formulas.inc"

// In rows of so many elements an outer product's work is worth sparing: sums of squares are taken apart, and the next
// row's dot products are made while the row is there. It depends on nothing else, so that bits depend on nothing else.
constexpr Index kLongRow = 256;

enum class Gradient { stored, outer, long_outer };  // what operand `gradient` is; see kLongRow

// One formula. An outer product is in every row a factor times one row, `x`.
template <class T, class F, Gradient GRADIENT> struct FormulaRun {
    using S = Simd<T>;
    using V = typename S::V;
    using M = VectorMath<T>;
    static constexpr bool OUTER = GRADIENT != Gradient::stored;
    static constexpr int W = S::width;
    static constexpr int kFixed = F::operands + F::constants;
    static constexpr int kFirstResult = kFixed + F::temporaries;
    static constexpr int kRegisters = kFirstResult + F::results;
    static constexpr int kInstructions = static_cast<int>(sizeof F::code / sizeof F::code[0]);

    static constexpr bool is_scalar(int r) {
        return (r < F::operands && F::cover[r < F::operands ? r : 0] == Cover::scalar) || (r >= F::operands && r < kFixed);
    }
    // The sum of the squares of an outer product is the product of two sums of squares.
    static constexpr bool sums_squares(const Instruction& what) {
        return GRADIENT == Gradient::long_outer && what.primitive == Primitive::sum_product && what.a == F::gradient && what.b == F::gradient;
    }
    static constexpr bool multiplies(Primitive p) {
        return p == Primitive::multiply || p == Primitive::multiply_add || p == Primitive::multiply_subtract || p == Primitive::subtract_product;
    }
    static constexpr int first_stored(int i) { return i < F::results - 1 && F::summed[i] ? first_stored(i + 1) : i; }
    static constexpr int kFirstStored = first_stored(0);

    struct Sums {
        V of[F::results] = {};
    };

    // Runs instruction I and those after it, on `lanes` lanes where they are not ALL.
    template <bool ALL, int I> static LW_INLINE void run(V* r, V factor, V x, int lanes, Sums& sums) {
        if constexpr (I < kInstructions) {
            constexpr Instruction what = F::code[I];
            constexpr Primitive p = what.primitive;
            if constexpr (p == Primitive::sum || p == Primitive::sum_product) {
                if constexpr (!sums_squares(what)) {
                    V& total = sums.of[what.result - kFirstResult];
                    const V a = ALL ? r[what.a] : first_lanes(r[what.a], lanes), b = ALL ? r[what.b] : first_lanes(r[what.b], lanes);
                    total = p == Primitive::sum ? total + a : S::fma(a, b, total);
                }
            } else if constexpr (GRADIENT == Gradient::long_outer && multiplies(p) && what.a == F::gradient && is_scalar(what.b)) {
                r[what.result] = value<p>(r[what.b] * factor, x, r[what.c]);  // once a row
            } else if constexpr (GRADIENT == Gradient::long_outer && multiplies(p) && what.b == F::gradient && is_scalar(what.a)) {
                r[what.result] = value<p>(r[what.a] * factor, x, r[what.c]);
            } else {
                r[what.result] = value<p>(r[what.a], r[what.b], r[what.c]);
            }
            run<ALL, I + 1>(r, factor, x, lanes, sums);
        }
    }

    // 0 in the lanes from `count` on.
    static LW_INLINE V first_lanes(V v, int count) {
        typename S::I lane;
        for (int i = 0; i < W; ++i) lane[i] = i;
        return lane < static_cast<typename S::Int>(count) ? v : V{};
    }

    template <Primitive p> static LW_INLINE V value(V a, [[maybe_unused]] V b, [[maybe_unused]] V c) {
        if constexpr (p == Primitive::add) return a + b;
        else if constexpr (p == Primitive::subtract) return a - b;
        else if constexpr (p == Primitive::multiply) return a * b;
        else if constexpr (p == Primitive::divide) return a / b;
        else if constexpr (p == Primitive::max) return M::max(a, b);
        else if constexpr (p == Primitive::min) return M::min(a, b);
        else if constexpr (p == Primitive::less) return M::less(a, b);
        else if constexpr (p == Primitive::where) return M::where(a, b, c);
        else if constexpr (p == Primitive::abs) return M::abs(a);
        else if constexpr (p == Primitive::sqrt) return M::sqrt(a);
        else if constexpr (p == Primitive::copy) return a;
        else if constexpr (p == Primitive::multiply_add) return S::fma(a, b, c);
        else if constexpr (p == Primitive::multiply_subtract) return S::fma(a, b, -c);
        else if constexpr (p == Primitive::subtract_product) return S::fma(-a, b, c);
        else static_assert(p == Primitive::add, "a primitive that known formulas do not have");
    }

    explicit LW_INLINE FormulaRun(const Map<T>& m) {
        each<F::operands>([&](auto i) LW_INLINE_LAMBDA {
            from[i] = m.operand[i];
            if constexpr (F::cover[i] == Cover::scalar)
                fixed[i] = m.cover[i] == Cover::copies ? S::load(m.operand[i]) : S::broadcast(*m.operand[i]);
        });
        each<F::constants>([&](auto i) LW_INLINE_LAMBDA { fixed[F::operands + i] = S::load(m.constant + i * W); });
        each<F::results>([&](auto i) LW_INLINE_LAMBDA { to[i] = m.result[i]; });
    }

    // One vector from element `at`; returns the first result that is stored.
    template <bool ALL> LW_INLINE V vector(Index at, V factor, V x, int lanes, Sums& sums) const {
        V r[kRegisters];
        each<kFixed>([&](auto i) LW_INLINE_LAMBDA {
            if constexpr (OUTER && i == F::gradient) r[i] = factor * x;
            else if constexpr (is_scalar(i)) r[i] = fixed[i];
            else r[i] = ALL ? S::load(from[i] + at) : S::load_partial(from[i] + at, lanes);
        });
        run<ALL, 0>(r, factor, x, lanes, sums);
        each<F::results>([&](auto i) LW_INLINE_LAMBDA {
            if constexpr (!F::summed[i]) {
                if (ALL) S::store(to[i] + at, r[kFirstResult + i]);
                else S::store_partial(to[i] + at, r[kFirstResult + i], lanes);
            }
        });
        return r[kFirstResult + kFirstStored];
    }

    // `length` elements from `start`, with `row` as an outer product's row; two sums, so that additions need not wait for
    // each other.
    LW_INLINE void elements(Index start, Index length, V factor, const T* row, Sums& sums, Sums& other_sums) const {
        const auto x = [&](Index i) LW_INLINE_LAMBDA { return OUTER ? S::load(row + i) : V{}; };
        Index i = 0;
        for (; i + 2 * W <= length; i += 2 * W) {
            vector<true>(start + i, factor, x(i), W, sums);
            vector<true>(start + i + W, factor, x(i + W), W, other_sums);
        }
        if (i + W <= length) {
            vector<true>(start + i, factor, x(i), W, sums);
            i += W;
        }
        if (i >= length) return;
        const int lanes = static_cast<int>(length - i);
        vector<false>(start + i, factor, OUTER ? S::load_partial(row + i, lanes) : V{}, lanes, other_sums);
    }

    // Copies: what is stored might lie over the map itself, for all that the compiler knows.
    const T* from[F::operands];
    T* to[F::results];
    V fixed[kFixed];
};

// `count` rows of a formula with an outer product, ROWS at a time, and its sums. With AHEAD also the lanes of the dot
// products of these rows of the first stored result with the row `with`, in the order of multiply_transposed. Not inlined:
// each copy keeps its values in registers.
template <class T, class F, int ROWS, bool AHEAD> __attribute__((noinline)) void outer_rows(
    const FormulaRun<T, F, Gradient::long_outer>& formula, Index start, Index count, Index columns, const T* factor, const T* row, const T* with,
    typename FormulaRun<T, F, Gradient::long_outer>::Sums& all_sums, typename Simd<T>::V* dots) {
    using S = Simd<T>;
    using V = typename S::V;
    constexpr int W = S::width;
    const FormulaRun<T, F, Gradient::long_outer> f = formula;
    auto sums = all_sums;
    for (Index done = 0; done < count; done += ROWS, start += ROWS * columns) {
        V factors[ROWS], even[ROWS] = {}, odd[ROWS] = {};
        each<ROWS>([&](auto r) LW_INLINE_LAMBDA { factors[r] = S::broadcast(factor[done + r]); });
        Index i = 0;
        const auto one = [&](V* dot) LW_INLINE_LAMBDA {
            const V x = S::load(row + i), y = AHEAD ? S::load(with + i) : V{};
            each<ROWS>([&](auto r) LW_INLINE_LAMBDA {
                const V made = f.template vector<true>(start + r * columns + i, factors[r], x, W, sums);
                if constexpr (AHEAD) dot[r] = S::fma(y, made, dot[r]);
            });
            i += W;
        };
        while (i + 2 * W <= columns) {
            one(even);
            one(odd);
        }
        if (i + W <= columns) one(even);
        if (i < columns) {
            const int lanes = static_cast<int>(columns - i);
            const V x = S::load_partial(row + i, lanes), y = AHEAD ? S::load_partial(with + i, lanes) : V{};
            each<ROWS>([&](auto r) LW_INLINE_LAMBDA {
                const V made = f.template vector<false>(start + r * columns + i, factors[r], x, lanes, sums);
                if constexpr (AHEAD) odd[r] = S::fma(y, f.first_lanes(made, lanes), odd[r]);
            });
        }
        if constexpr (AHEAD) each<ROWS>([&](auto r) LW_INLINE_LAMBDA { dots[done + r] = even[r] + odd[r]; });
    }
    all_sums = sums;
}

template <class T> T sum_of_squares(const T* x, Index count) {
    using S = Simd<T>;
    constexpr int W = S::width;
    typename S::V sum[4] = {};
    Index i = 0;
    for (; i + 4 * W <= count; i += 4 * W) each<4>([&](auto chain) LW_INLINE_LAMBDA {
        const auto v = S::load(x + i + chain * W);
        sum[chain] = S::fma(v, v, sum[chain]);
    });
    for (; i < count; i += W) {
        const auto v = S::load_partial(x + i, static_cast<int>(count - i < W ? count - i : W));
        sum[0] = S::fma(v, v, sum[0]);
    }
    return S::sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

template <class T, class F, bool AHEAD> void run_long_rows(const Map<T>& m) {
    using S = Simd<T>;
    using V = typename S::V;
    using Run = FormulaRun<T, F, Gradient::long_outer>;
    constexpr int W = S::width, together = W < 2 ? 1 : 2;
    const Run formula(m);
    const Index rows = m.rows, columns = m.columns;
    const T* const row = m.operand[F::gradient];
    typename Run::Sums sums;
    for (Index first = 0; first < rows; first += AHEAD ? W : rows) {
        const Index count = AHEAD && rows - first > W ? W : rows - first, most = count / together * together;
        V dots[W] = {};
        outer_rows<T, F, together, AHEAD>(formula, first * columns, most, columns, m.outer_column + first, row, m.ahead_row, sums, dots);
        if (most < count) outer_rows<T, F, 1, AHEAD>(formula, (first + most) * columns, count - most, columns, m.outer_column + first + most, row, m.ahead_row, sums, dots + most);
        if (AHEAD) S::store_partial(m.ahead + first, joined_lanes<T>(dots, [](V x, V y) LW_INLINE_LAMBDA { return x + y; }), static_cast<int>(count));
    }
    constexpr auto of_squares = [](int result) {
        for (const Instruction& what : F::code)
            if (Run::sums_squares(what) && what.result == Run::kFirstResult + result) return true;
        return false;
    };
    each<F::results>([&](auto result) LW_INLINE_LAMBDA {
        if constexpr (F::summed[result]) *m.sum[result] = of_squares(result) ? sum_of_squares(m.outer_column, rows) * sum_of_squares(row, columns) : S::sum(sums.of[result]);
    });
}

template <class T, class F, bool OUTER> void run_formula(const Map<T>& m) {
    if constexpr (OUTER)
        if (m.columns >= kLongRow) return m.ahead_row ? run_long_rows<T, F, true>(m) : run_long_rows<T, F, false>(m);
    using Run = FormulaRun<T, F, OUTER ? Gradient::outer : Gradient::stored>;
    using V = typename Simd<T>::V;
    const Run formula(m);
    const Index rows = m.rows, columns = m.columns;
    typename Run::Sums sums, other_sums;
    if constexpr (OUTER) {
        const T *const factor = m.outer_column, *const row = m.operand[F::gradient];
        for (Index r = 0; r < rows; ++r) formula.elements(r * columns, columns, Simd<T>::broadcast(factor[r]), row, sums, other_sums);
    } else {
        formula.elements(0, rows * columns, V{}, nullptr, sums, other_sums);
    }
    each<F::results>([&](auto i) LW_INLINE_LAMBDA {
        if constexpr (F::summed[i]) *m.sum[i] = Simd<T>::sum(sums.of[i] + other_sums.of[i]);
    });
}

template <class F> bool is_formula(const FormulaCode& code, bool outer) {
    constexpr int instructions = static_cast<int>(sizeof F::code / sizeof F::code[0]);
    bool same = (!outer || (code.gradient >= 0 && code.gradient == F::gradient)) && code.operands == F::operands && code.constants == F::constants && code.temporaries == F::temporaries &&
                code.instructions == instructions && code.results == F::results;
    for (int i = 0; same && i < F::operands; ++i) same = code.cover[i] == F::cover[i];
    for (int i = 0; same && i < F::results; ++i) same = code.summed[i] == F::summed[i];
    for (int i = 0; same && i < instructions; ++i) {
        const Instruction &x = code.instruction[i], &y = F::code[i];
        same = x.primitive == y.primitive && x.result == y.result && x.a == y.a && x.b == y.b && x.c == y.c;
    }
    return same;
}

template <class T, class... F>
void (*known_map_of(FormulaList<F...>, const FormulaCode& code, bool outer))(const Map<T>&) {
    void (*found)(const Map<T>&) = nullptr;
    const auto look = [&](auto of_formula, auto of_outer_product, bool same) {
        if (same && !found) found = outer ? of_outer_product : of_formula;
    };
    (look(&run_formula<T, F, false>, F::gradient >= 0 ? &run_formula<T, F, (F::gradient >= 0)> : nullptr, is_formula<F>(code, outer)), ...);
    return found;
}

template <class T> void (*known_map(const FormulaCode& code, bool outer))(const Map<T>&) {
    return known_map_of<T>(KnownFormulas{}, code, outer);
}

}  // namespace layerwise::LW_ISA
