// What the vector functions share: the layout of floating-point numbers, signs, clamping and polynomials.
#pragma once

#include <cstddef>
#include <limits>
#include <utility>

#include "simd.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace layerwise::LW_ISA {

// Whether Simd::fma rounds once.
#if defined(__AVX512F__) || defined(__AVX2__)
constexpr bool has_fma = true;
#else
constexpr bool has_fma = false;
#endif

// round_and_bias: adding 1.5 * 2^mantissa_bits rounds to an integer, which then stands in the low bits. The exponent's
// bias is added too, so that shifting those bits to the exponent's place gives the power of two at once.
// log2_high and log2_low: log 2 as a sum, see tests/native/cpp/coefficients.py. The first has so few bits that its
// products with exponents are exact without fma.
// Unsigned: bits that may overflow, and are shifted to the right without a sign, which every instruction set can.
template <class T> struct Format;
template <> struct Format<float> {
    typedef std::uint32_t Unsigned __attribute__((vector_size(LW_VECTOR_BYTES)));
    static constexpr int mantissa_bits = 23, bias = 127;
    static constexpr float round_and_bias = 12582912.0f + 127.0f;
    static constexpr float log2_high = 0x1.62e4p-1f, log2_low = 0x1.7f7d1cp-20f;
    static constexpr float infinity = __builtin_inff(), nan = __builtin_nanf(""), least_normal = 0x1p-126f;
};
template <> struct Format<double> {
    typedef std::uint64_t Unsigned __attribute__((vector_size(LW_VECTOR_BYTES)));
    static constexpr int mantissa_bits = 52, bias = 1023;
    static constexpr double round_and_bias = 6755399441055744.0 + 1023.0;
    static constexpr double log2_high = 0x1.62e42fefap-1, log2_low = 0x1.cf79abc9e3b3ap-40;
    static constexpr double infinity = __builtin_inf(), nan = __builtin_nan(""), least_normal = 0x1p-1022;
};

// x < y ? x : y and x > y ? x : y, so y if either is NaN. Compilers do not find the instruction by themselves, as its
// operands must not be exchanged.
#if defined(__AVX512F__)
LW_INLINE FloatVector lesser(FloatVector x, FloatVector y) {
    return reinterpret_cast<FloatVector>(_mm512_min_ps(reinterpret_cast<__m512>(x), reinterpret_cast<__m512>(y)));
}
LW_INLINE FloatVector greater(FloatVector x, FloatVector y) {
    return reinterpret_cast<FloatVector>(_mm512_max_ps(reinterpret_cast<__m512>(x), reinterpret_cast<__m512>(y)));
}
LW_INLINE DoubleVector lesser(DoubleVector x, DoubleVector y) {
    return reinterpret_cast<DoubleVector>(_mm512_min_pd(reinterpret_cast<__m512d>(x), reinterpret_cast<__m512d>(y)));
}
LW_INLINE DoubleVector greater(DoubleVector x, DoubleVector y) {
    return reinterpret_cast<DoubleVector>(_mm512_max_pd(reinterpret_cast<__m512d>(x), reinterpret_cast<__m512d>(y)));
}
#elif defined(__AVX2__)
LW_INLINE FloatVector lesser(FloatVector x, FloatVector y) {
    return reinterpret_cast<FloatVector>(_mm256_min_ps(reinterpret_cast<__m256>(x), reinterpret_cast<__m256>(y)));
}
LW_INLINE FloatVector greater(FloatVector x, FloatVector y) {
    return reinterpret_cast<FloatVector>(_mm256_max_ps(reinterpret_cast<__m256>(x), reinterpret_cast<__m256>(y)));
}
LW_INLINE DoubleVector lesser(DoubleVector x, DoubleVector y) {
    return reinterpret_cast<DoubleVector>(_mm256_min_pd(reinterpret_cast<__m256d>(x), reinterpret_cast<__m256d>(y)));
}
LW_INLINE DoubleVector greater(DoubleVector x, DoubleVector y) {
    return reinterpret_cast<DoubleVector>(_mm256_max_pd(reinterpret_cast<__m256d>(x), reinterpret_cast<__m256d>(y)));
}
#elif defined(__SSE2__)
LW_INLINE FloatVector lesser(FloatVector x, FloatVector y) {
    return reinterpret_cast<FloatVector>(_mm_min_ps(reinterpret_cast<__m128>(x), reinterpret_cast<__m128>(y)));
}
LW_INLINE FloatVector greater(FloatVector x, FloatVector y) {
    return reinterpret_cast<FloatVector>(_mm_max_ps(reinterpret_cast<__m128>(x), reinterpret_cast<__m128>(y)));
}
LW_INLINE DoubleVector lesser(DoubleVector x, DoubleVector y) {
    return reinterpret_cast<DoubleVector>(_mm_min_pd(reinterpret_cast<__m128d>(x), reinterpret_cast<__m128d>(y)));
}
LW_INLINE DoubleVector greater(DoubleVector x, DoubleVector y) {
    return reinterpret_cast<DoubleVector>(_mm_max_pd(reinterpret_cast<__m128d>(x), reinterpret_cast<__m128d>(y)));
}
#else
LW_INLINE FloatVector lesser(FloatVector x, FloatVector y) { return x < y ? x : y; }
LW_INLINE FloatVector greater(FloatVector x, FloatVector y) { return x > y ? x : y; }
LW_INLINE DoubleVector lesser(DoubleVector x, DoubleVector y) { return x < y ? x : y; }
LW_INLINE DoubleVector greater(DoubleVector x, DoubleVector y) { return x > y ? x : y; }
#endif

template <class T> struct VectorTools {
    using S = Simd<T>;
    using V = typename S::V;
    using I = typename S::I;
    using U = typename Format<T>::Unsigned;
    using Int = typename S::Int;
    static constexpr Int sign_bit = std::numeric_limits<Int>::min();

    static LW_INLINE V all(T x) { return S::broadcast(x); }
    static LW_INLINE V abs(V x) { return S::from_bits(S::bits(x) & ~(I{} + sign_bit)); }
    static LW_INLINE V minus_abs(V x) { return S::from_bits(S::bits(x) | (I{} + sign_bit)); }
    static LW_INLINE V copy_sign(V size, V sign) {
        const I mask = I{} + sign_bit;
        return S::from_bits((S::bits(size) & ~mask) | (S::bits(sign) & mask));
    }
    // NaN stays NaN in both.
    static LW_INLINE V at_most(V x, T high) { return lesser(all(high), x); }
    static LW_INLINE V at_least(V x, T low) { return greater(all(low), x); }
    // 2^n of an integer n, |n| within the range of normal numbers, from n + Format::round_and_bias.
    static LW_INLINE V power_of_two(V n_shifted) {
        return S::from_bits(shift_left(S::bits(n_shifted), Format<T>::mantissa_bits));
    }
    static LW_INLINE I shift_left(I bits, int count) { return reinterpret_cast<I>(reinterpret_cast<U>(bits) << count); }
    // c[0] + c[1] x + c[2] x^2 + ...: one Horner chain if short; else one for every second or fourth coefficient, side
    // by side, because a long chain would wait for its own results.
    template <std::size_t count> static LW_INLINE V polynomial(const T (&c)[count], V x) {
        if constexpr (count >= 16) {
            const V x2 = x * x, x4 = x2 * x2;
            const V low = S::fma(every<4, 1>(c, x4), x, every<4, 0>(c, x4));
            return S::fma(S::fma(every<4, 3>(c, x4), x, every<4, 2>(c, x4)), x2, low);
        } else if constexpr (count >= 9) {
            const V x2 = x * x;
            return S::fma(every<2, 1>(c, x2), x, every<2, 0>(c, x2));
        } else {
            return every<1, 0>(c, x);
        }
    }
    static LW_INLINE bool any(I mask) {
#if defined(__AVX512F__)
        return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(mask), reinterpret_cast<__m512i>(mask)) != 0;
#elif defined(__AVX2__)
        return !_mm256_testz_si256(reinterpret_cast<__m256i>(mask), reinterpret_cast<__m256i>(mask));
#else
        Int found = 0;
        for (int i = 0; i < S::width; ++i) found |= mask[i];
        return found != 0;
#endif
    }

  private:
    // c[first] + c[first + stride] x + c[first + 2 stride] x^2 + ...
    template <std::size_t stride, std::size_t first, std::size_t count>
    static LW_INLINE V every(const T (&c)[count], V x) {
        constexpr std::size_t steps = (count - 1 - first) / stride;
        return horner<stride>(c + first + steps * stride, x, std::make_index_sequence<steps>{});
    }
    template <std::size_t stride, std::size_t... step>
    static LW_INLINE V horner(const T* last, V x, std::index_sequence<step...>) {
        V sum = all(*last);
        ((sum = S::fma(sum, x, all(last[-static_cast<std::ptrdiff_t>((step + 1) * stride)]))), ...);
        return sum;
    }
};

}  // namespace layerwise::LW_ISA
