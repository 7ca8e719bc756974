// exp, expm1 and tanh.
#pragma once

#include "vector_format.hpp"

namespace layerwise::LW_ISA {

// exp(r) = 1 + r + r^2 q(r) for |r| <= log(2) / 2; made by tests/native/cpp/coefficients.py.
template <class T> struct ExpConstants;
template <> struct ExpConstants<float> {
    static constexpr float q[] = {4.9999997e-1f, 1.6666543e-1f, 4.16672e-2f, 8.366519e-3f, 1.3882539e-3f};
    static constexpr float per_log2 = 1.44269504f;
    static constexpr float overflow = 89.0f, underflow = -104.0f, expm1_is_minus_one = -20.0f, expm1_is_x = 0x1p-26f;
};
template <> struct ExpConstants<double> {
    static constexpr double q[] = {
        5.000000000000006e-1, 1.6666666666666588e-1, 4.166666666657674e-2, 8.333333333389523e-3, 1.388888893156669e-3,
        1.9841269719068439e-4, 2.4801505272134054e-5, 2.7557407489062606e-6, 2.7626038406087496e-7,
        2.5053791296503175e-8};
    static constexpr double per_log2 = 1.4426950408889634;
    static constexpr double overflow = 710.0, underflow = -746.0, expm1_is_minus_one = -40.0, expm1_is_x = 0x1p-55;
};

template <class T> struct Exponentials {
    using S = Simd<T>;
    using V = typename S::V;
    using Tools = VectorTools<T>;
    using Constants = ExpConstants<T>;

    // At most 1.3 ulp (1.0 with fma).
    static LW_INLINE V exp(V x) {
        const Reduced at = reduce(Tools::at_least(Tools::at_most(x, Constants::overflow), Constants::underflow));
        const V q = Tools::polynomial(Constants::q, at.r);
        return times_power_of_two(S::fma(S::fma(q, at.r, Tools::all(1)), at.r, Tools::all(1)), at);
    }

    // 2^n (1 + p) - 1 with half of everything, because 2^128 (2^1024) is no number and the result may still be one.
    // At most 2.5 ulp (float 1.7).
    static LW_INLINE V expm1(V x) {
        const Reduced at =
            reduce(Tools::at_least(Tools::at_most(x, Constants::overflow), Constants::expm1_is_minus_one));
        const V half_scale = Tools::power_of_two(at.n_shifted - Tools::all(1));
        const V half = S::fma(half_scale, reduced_expm1(at), half_scale - Tools::all(T(0.5)));
        // Keeps -0, and half a denormal number may be none.
        return Tools::abs(x) < Tools::all(Constants::expm1_is_x) ? x : half + half;
    }

    // With e = expm1(-2 |x|): |tanh x| = -e / (e + 2). At most 2.7 ulp.
    static LW_INLINE V tanh(V x) {
        const V minus = Tools::minus_abs(x);
        const V e = expm1_of_negative(minus + minus);
        return Tools::copy_sign(e / (e + Tools::all(2)), x);
    }

    // expm1 for x <= 0, except that -0 gives +0. It is -1 exactly from about -20 (float) and -40 (double) on.
    static LW_INLINE V expm1_of_negative(V x) {
        const Reduced at = reduce(Tools::at_least(x, Constants::expm1_is_minus_one));
        const V scale = Tools::power_of_two(at.n_shifted);
        return S::fma(scale, reduced_expm1(at), scale - Tools::all(1));
    }

  private:
    // x = n log 2 + r, n an integer, |r| <= log(2) / 2.
    struct Reduced {
        V n_shifted, n, r;
    };
    static LW_INLINE Reduced reduce(V x) {
        const V shift = Tools::all(Format<T>::round_and_bias);
        const V n_shifted = S::fma(x, Tools::all(Constants::per_log2), shift);
        const V n = n_shifted - shift;
        const V rest = S::fma(n, Tools::all(-Format<T>::log2_high), x);
        return {n_shifted, n, S::fma(n, Tools::all(-Format<T>::log2_low), rest)};
    }
    static LW_INLINE V reduced_expm1(const Reduced& at) {
        return S::fma(at.r * at.r, Tools::polynomial(Constants::q, at.r), at.r);
    }
    // 2^n x, rounded once, for n beyond the range of normal numbers too.
    static LW_INLINE V times_power_of_two(V x, const Reduced& at) {
#if defined(__AVX512F__)
        if constexpr (sizeof(T) == 4)
            return reinterpret_cast<V>(_mm512_scalef_ps(reinterpret_cast<__m512>(x), reinterpret_cast<__m512>(at.n)));
        else
            return reinterpret_cast<V>(_mm512_scalef_pd(reinterpret_cast<__m512d>(x), reinterpret_cast<__m512d>(at.n)));
#else
        const V shift = Tools::all(Format<T>::round_and_bias);
        const V half_shifted = S::fma(at.n, Tools::all(T(0.5)), shift);
        const V rest = at.n - (half_shifted - shift);
        return x * Tools::power_of_two(half_shifted) * Tools::power_of_two(rest + shift);
#endif
    }
};

}  // namespace layerwise::LW_ISA
