// Vectors as wide as the instruction set that this file is compiled for; see kernels.cpp.
//
// Everything that depends on the instruction set lives in namespace layerwise::LW_ISA, so that the three copies of a
// kernel never meet in the linker. Arithmetic (+ - * / < ?:) is the compiler's vector extension.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#ifndef LW_ISA
#define LW_ISA portable
#endif

#if defined(__AVX512F__)
#define LW_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define LW_VECTOR_BYTES 32
#else
#define LW_VECTOR_BYTES 16
#endif

#define LW_INLINE inline __attribute__((always_inline))
#define LW_INLINE_LAMBDA __attribute__((always_inline))

namespace layerwise::LW_ISA {

typedef float FloatVector __attribute__((vector_size(LW_VECTOR_BYTES)));
typedef double DoubleVector __attribute__((vector_size(LW_VECTOR_BYTES)));
typedef std::int32_t Int32Vector __attribute__((vector_size(LW_VECTOR_BYTES)));
typedef std::int64_t Int64Vector __attribute__((vector_size(LW_VECTOR_BYTES)));

// Simd<T>: V is a vector of T, I one of signed integers of the same width (what comparisons give: -1 or 0).
template <class T> struct Simd;

template <class T, class Vector, class Integers, class Integer> struct SimdCommon {
    using V = Vector;
    using I = Integers;
    using Int = Integer;
    static constexpr int width = LW_VECTOR_BYTES / static_cast<int>(sizeof(T));

    static LW_INLINE V load(const T* from) {
        V v;
        std::memcpy(&v, from, sizeof v);
        return v;
    }
    static LW_INLINE void store(T* to, V v) { std::memcpy(to, &v, sizeof v); }
    static LW_INLINE V broadcast(T x) { return x - V{}; }  // plus would lose the sign of -0
    // 0 in the lanes from `count` on; nothing beyond them is touched.
    static LW_INLINE V load_partial(const T* from, int count) {
        V v{};
        for (int i = 0; i < count; ++i) v[i] = from[i];
        return v;
    }
    static LW_INLINE void store_partial(T* to, V v, int count) {
        for (int i = 0; i < count; ++i) to[i] = v[i];
    }
    static LW_INLINE I bits(V v) {
        I i;
        std::memcpy(&i, &v, sizeof i);
        return i;
    }
    static LW_INLINE V from_bits(I i) {
        V v;
        std::memcpy(&v, &i, sizeof v);
        return v;
    }
    // The sum of all lanes, always added in the same order.
    static LW_INLINE T sum(V v) {
        T lanes[width];
        std::memcpy(lanes, &v, sizeof v);
        for (int half = width / 2; half > 0; half /= 2)
            for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
        return lanes[0];
    }
};

template <> struct Simd<float> : SimdCommon<float, FloatVector, Int32Vector, std::int32_t> {
#if defined(__AVX512F__)
    static LW_INLINE V load_partial(const float* from, int count) {
        return reinterpret_cast<V>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1u), from));
    }
    static LW_INLINE void store_partial(float* to, V v, int count) {
        _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1u), reinterpret_cast<__m512>(v));
    }
    static LW_INLINE V sqrt(V v) { return reinterpret_cast<V>(_mm512_sqrt_ps(reinterpret_cast<__m512>(v))); }
    static LW_INLINE V fma(V a, V b, V c) {
        return reinterpret_cast<V>(_mm512_fmadd_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), reinterpret_cast<__m512>(c)));
    }
#elif defined(__AVX2__)
    static LW_INLINE __m256i first(int count) {
        const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes);
    }
    static LW_INLINE V load_partial(const float* from, int count) {
        return reinterpret_cast<V>(_mm256_maskload_ps(from, first(count)));
    }
    static LW_INLINE void store_partial(float* to, V v, int count) {
        _mm256_maskstore_ps(to, first(count), reinterpret_cast<__m256>(v));
    }
    static LW_INLINE V sqrt(V v) { return reinterpret_cast<V>(_mm256_sqrt_ps(reinterpret_cast<__m256>(v))); }
    static LW_INLINE V fma(V a, V b, V c) {
        return reinterpret_cast<V>(_mm256_fmadd_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), reinterpret_cast<__m256>(c)));
    }
#else
    static LW_INLINE V sqrt(V v) {
        for (int i = 0; i < width; ++i) v[i] = __builtin_sqrtf(v[i]);
        return v;
    }
    static LW_INLINE V fma(V a, V b, V c) { return a * b + c; }  // rounded once or twice
#endif
};

template <> struct Simd<double> : SimdCommon<double, DoubleVector, Int64Vector, std::int64_t> {
#if defined(__AVX512F__)
    static LW_INLINE V load_partial(const double* from, int count) {
        return reinterpret_cast<V>(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1u), from));
    }
    static LW_INLINE void store_partial(double* to, V v, int count) {
        _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1u), reinterpret_cast<__m512d>(v));
    }
    static LW_INLINE V sqrt(V v) { return reinterpret_cast<V>(_mm512_sqrt_pd(reinterpret_cast<__m512d>(v))); }
    static LW_INLINE V fma(V a, V b, V c) {
        return reinterpret_cast<V>(_mm512_fmadd_pd(reinterpret_cast<__m512d>(a), reinterpret_cast<__m512d>(b), reinterpret_cast<__m512d>(c)));
    }
#elif defined(__AVX2__)
    static LW_INLINE __m256i first(int count) {
        return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
    }
    static LW_INLINE V load_partial(const double* from, int count) {
        return reinterpret_cast<V>(_mm256_maskload_pd(from, first(count)));
    }
    static LW_INLINE void store_partial(double* to, V v, int count) {
        _mm256_maskstore_pd(to, first(count), reinterpret_cast<__m256d>(v));
    }
    static LW_INLINE V sqrt(V v) { return reinterpret_cast<V>(_mm256_sqrt_pd(reinterpret_cast<__m256d>(v))); }
    static LW_INLINE V fma(V a, V b, V c) {
        return reinterpret_cast<V>(_mm256_fmadd_pd(reinterpret_cast<__m256d>(a), reinterpret_cast<__m256d>(b), reinterpret_cast<__m256d>(c)));
    }
#else
    static LW_INLINE V sqrt(V v) {
        for (int i = 0; i < width; ++i) v[i] = __builtin_sqrt(v[i]);
        return v;
    }
    static LW_INLINE V fma(V a, V b, V c) { return a * b + c; }
#endif
};

// f(0), f(1), ..., f(count - 1), each a constant: what these index stays in registers.
template <class F, std::size_t... I> LW_INLINE void each([[maybe_unused]] F f, std::index_sequence<I...>) {
    (f(std::integral_constant<int, static_cast<int>(I)>{}), ...);
}
template <int COUNT, class F> LW_INLINE void each(F f) { each(f, std::make_index_sequence<COUNT>{}); }

}  // namespace layerwise::LW_ISA
