// Formulas that the compiler has seen: all their values stay in registers, an element is loaded and stored once.
//
// Serves map of the vocabulary like map.hpp, with the same bytecode; only here it is a constant that the compiler
// unrolls. Which formulas these are says known_formulas.inc; every other one runs in map.hpp. Its reference is
// ops/numpy_ops.py, evaluate.
#pragma once

#include <utility>

#include "kernels.hpp"
#include "simd.hpp"
#include "vector_math.hpp"

namespace layerwise::LW_ISA {

template <class... F> struct FormulaList {};

#include "known_formulas.inc"

// f(0), f(1), ..., f(count - 1), each a constant: what these index stays in registers.
template <class F, std::size_t... I> LW_INLINE void each([[maybe_unused]] F f, std::index_sequence<I...>) {
    (f(std::integral_constant<int, static_cast<int>(I)>{}), ...);
}
template <int COUNT, class F> LW_INLINE void each(F f) { each(f, std::make_index_sequence<COUNT>{}); }

template <class T, class F, bool OUTER> struct FormulaRun {
    using S = Simd<T>;
    using V = typename S::V;
    using M = VectorMath<T>;
    static constexpr int W = S::width;
    static constexpr int kFixed = F::operands + F::constants;
    static constexpr int kFirstResult = kFixed + F::temporaries;
    static constexpr int kRegisters = kFirstResult + F::results;
    static constexpr int kInstructions = static_cast<int>(sizeof F::code / sizeof F::code[0]);

    // Runs instruction I and those after it. Sums go to `sum`, by result.
    template <int I> static LW_INLINE void run(V* r, V* sum, typename S::I counts, bool all) {
        if constexpr (I < kInstructions) {
            constexpr Instruction what = F::code[I];
            constexpr Primitive p = what.primitive;
            const V a = r[what.a], b = r[what.b], c = r[what.c];
            if constexpr (p == Primitive::sum || p == Primitive::sum_product) {
                V& total = sum[what.result - kFirstResult];
                const V x = all ? a : counts ? a : V{}, y = all ? b : counts ? b : V{};
                total = p == Primitive::sum ? total + x : S::fma(x, y, total);
            } else {
                r[what.result] = value<p>(a, b, c);
            }
            run<I + 1>(r, sum, counts, all);
        }
    }

    template <Primitive p> static LW_INLINE V value(V a, V b, V c) {
        (void)b;
        (void)c;
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

    // One vector from element `at`, of which `lanes` count; `column` is where an outer product's row is then.
    template <bool ALL> LW_INLINE void vector(Index at, Index column, V factor, int lanes, V* sum) const {
        V r[kRegisters];
        each<kFixed>([&](auto i) LW_INLINE_LAMBDA {
            if constexpr (i < F::operands && F::cover[i < F::operands ? i : 0] == Cover::full) {
                constexpr bool outer = OUTER && i == F::gradient;
                const T* const x = from[i] + (outer ? column : at);
                r[i] = ALL ? S::load(x) : S::load_partial(x, lanes);
                if (outer) r[i] = factor * r[i];
            } else {
                r[i] = fixed[i];
            }
        });
        typename S::I counts{};
        if constexpr (!ALL) {
            typename S::I lane;
            for (int i = 0; i < W; ++i) lane[i] = i;
            counts = lane < static_cast<typename S::Int>(lanes);
        }
        run<0>(r, sum, counts, ALL);
        each<F::results>([&](auto i) LW_INLINE_LAMBDA {
            if constexpr (!F::summed[i]) {
                if (ALL) S::store(to[i] + at, r[kFirstResult + i]);
                else S::store_partial(to[i] + at, r[kFirstResult + i], lanes);
            }
        });
    }

    // Two sums, so that additions need not wait for each other.
    LW_INLINE void row(Index start, Index length, V factor, V* sum, V* other_sum) const {
        Index i = 0;
        for (; i + 2 * W <= length; i += 2 * W) {
            vector<true>(start + i, i, factor, W, sum);
            vector<true>(start + i + W, i + W, factor, W, other_sum);
        }
        if (i + W <= length) {
            vector<true>(start + i, i, factor, W, sum);
            i += W;
        }
        if (i < length) vector<false>(start + i, i, factor, static_cast<int>(length - i), other_sum);
    }

    // Copies: what is stored might lie over the map itself, for all that the compiler knows.
    const T* from[F::operands];
    T* to[F::results];
    V fixed[kFixed];
};

template <class T, class F, bool OUTER> void run_formula(const Map<T>& m) {
    using S = Simd<T>;
    using V = typename S::V;
    const FormulaRun<T, F, OUTER> formula(m);
    const Index rows = m.rows, columns = m.columns, stride = m.outer_stride;
    V sum[F::results] = {}, other_sum[F::results] = {};
    if constexpr (OUTER) {
        const T* const factor = m.outer_column;
        for (Index r = 0; r < rows; ++r) formula.row(r * columns, columns, S::broadcast(factor[r * stride]), sum, other_sum);
    } else {
        formula.row(0, rows * columns, V{}, sum, other_sum);
    }
    each<F::results>([&](auto i) LW_INLINE_LAMBDA {
        if constexpr (F::summed[i]) *m.sum[i] = S::sum(sum[i] + other_sum[i]);
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
