// log and log1p.
#pragma once

#include "vector_format.hpp"

namespace layerwise::LW_ISA {

// For -1/4 <= f <= 1/2, made by tests/native/cpp/coefficients.py:
// float: log(1 + f) = f + f^2 q(f). double: log(1 + f) = s (2 + z q(z)) with s = f / (2 + f), z = s^2, where the
// division is cheaper than a polynomial of degree 20.
template <class T> struct LogConstants;
template <> struct LogConstants<float> {
    static constexpr float q[] = {
        -5e-1f, 3.3333454e-1f, -2.5000054e-1f, 1.9990608e-1f, -1.6647768e-1f, 1.4482054e-1f, -1.3162209e-1f,
        1.04483195e-1f, -4.490971e-2f};
};
template <> struct LogConstants<double> {
    static constexpr double q[] = {
        6.666666666667268e-1, 3.9999999996177044e-1, 2.8571429392801195e-1, 2.2222138686796186e-1,
        1.8186349098960788e-1, 1.5250317607901254e-1, 1.5367257115976254e-1};
};

template <class T> struct Logarithms {
    using S = Simd<T>;
    using V = typename S::V;
    using I = typename S::I;
    using Int = typename S::Int;
    using U = typename Format<T>::Unsigned;
    using Tools = VectorTools<T>;
    using Constants = LogConstants<T>;

    // At most 1.4 ulp (double 1.1).
    static LW_INLINE V log(V x) {
#if defined(__AVX512F__)
        const V significand = significand_of(x), exponent = exponent_of(x);
        const V k = significand < Tools::all(1) ? exponent + Tools::all(1) : exponent;
        return with_limits(sum(k, significand - Tools::all(1)), x);
#else
        const auto denormal = x < Tools::all(Format<T>::least_normal);
        constexpr int up = Format<T>::mantissa_bits + 1;
        const V normal = denormal ? x * Tools::all(static_cast<T>(Int{1} << up)) : x;
        const I biased = biased_exponent(normal);
        const I k_in_place = Tools::shift_left(biased - Format<T>::bias, Format<T>::mantissa_bits);
        // Unsigned, as the bits of negative numbers would overflow; with_limits takes care of those.
        const V significand = S::from_bits(
            reinterpret_cast<I>(reinterpret_cast<U>(S::bits(normal)) - reinterpret_cast<U>(k_in_place)));
        const V k = exponent_as_number(biased) - (denormal ? Tools::all(up) : Tools::all(0));
        return with_limits(sum(k, significand - Tools::all(1)), x);
#endif
    }

    // With 1 + x = 2^k m: f = m - 1 = 2^-k x + (2^-k - 1), where what 1 + x rounds away of a small x is still there.
    // At most 1.4 ulp (double 1.1).
    static LW_INLINE V log1p(V x) {
        const V one = Tools::all(1), quarter = Tools::all(T(0.25));
        const V above = one + x;
        const I biased = biased_exponent(above);
        // 2^(2-k), because 2^-128 (2^-1024) is no normal number.
        const I biased_two_minus_k = 2 * Format<T>::bias + 2 - biased;
        const V four_scales = S::from_bits(Tools::shift_left(biased_two_minus_k, Format<T>::mantissa_bits));
        const V f = S::fma(x * quarter, four_scales, S::fma(four_scales, quarter, -one));
        const V value = with_limits(sum(exponent_as_number(biased), f), above);
        return above == one ? x : value;
    }

  private:
    // k log 2 + log(1 + f)
    static LW_INLINE V sum(V k, V f) {
        const V small = S::fma(k, Tools::all(Format<T>::log2_low), log1p_minus(f));
        return S::fma(k, Tools::all(Format<T>::log2_high), f + small);
    }
    // log(1 + f) - f
    static LW_INLINE V log1p_minus(V f) {
        if constexpr (sizeof(T) == 4) {
            return f * f * Tools::polynomial(Constants::q, f);
        } else {
            const V s = f / (Tools::all(2) + f);
            const V z = s * s;
            return s * S::fma(z, Tools::polynomial(Constants::q, z), -f);
        }
    }
    // k + bias, where x = 2^k m with 3/4 <= m < 3/2, for normal x > 0.
    static LW_INLINE I biased_exponent(V x) {
        using U = typename Format<T>::Unsigned;
        constexpr Int from_three_quarters = Int{1} << (Format<T>::mantissa_bits - 1);
        const U raised = reinterpret_cast<U>(S::bits(x)) + reinterpret_cast<U>(I{} + from_three_quarters);
        return reinterpret_cast<I>(raised >> Format<T>::mantissa_bits);
    }
    static LW_INLINE V exponent_as_number(I biased) {
        constexpr T ulp_is_one = static_cast<T>(Int{1} << Format<T>::mantissa_bits);
        return S::from_bits(biased | S::bits(Tools::all(ulp_is_one))) - Tools::all(ulp_is_one + Format<T>::bias);
    }
#if defined(__AVX512F__)
    static LW_INLINE V significand_of(V x) {
        if constexpr (sizeof(T) == 4)
            return reinterpret_cast<V>(
                _mm512_getmant_ps(reinterpret_cast<__m512>(x), _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src));
        else
            return reinterpret_cast<V>(
                _mm512_getmant_pd(reinterpret_cast<__m512d>(x), _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src));
    }
    static LW_INLINE V exponent_of(V x) {
        if constexpr (sizeof(T) == 4)
            return reinterpret_cast<V>(_mm512_getexp_ps(reinterpret_cast<__m512>(x)));
        else
            return reinterpret_cast<V>(_mm512_getexp_pd(reinterpret_cast<__m512d>(x)));
    }
#endif
    // log(u), given its value for ordinary u: -inf at 0, NaN below, inf at inf, NaN at NaN.
    static LW_INLINE V with_limits(V value, V u) {
#if defined(__AVX512F__)
        // One digit for each kind of u, from the last: NaN (2: NaN) twice, 0 (4: -inf), 1 (0: the value), -inf
        // (3: NaN), inf (5: inf), other negative numbers (3), other positive ones (0).
        constexpr int table = 0x03530422;
        if constexpr (sizeof(T) == 4)
            return reinterpret_cast<V>(_mm512_fixupimm_ps(
                reinterpret_cast<__m512>(value), reinterpret_cast<__m512>(u), _mm512_set1_epi32(table), 0));
        else
            return reinterpret_cast<V>(_mm512_fixupimm_pd(
                reinterpret_cast<__m512d>(value), reinterpret_cast<__m512d>(u), _mm512_set1_epi64(table), 0));
#else
        const V infinity = Tools::all(Format<T>::infinity), zero = Tools::all(0);
        const V not_positive = u == zero ? -infinity : Tools::all(Format<T>::nan);
        return u > zero ? (u < infinity ? value : u) : not_positive;
#endif
    }
};

}  // namespace layerwise::LW_ISA
