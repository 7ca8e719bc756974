// Counter-based random numbers: Philox4x32-10, bit for bit those of ops/random.py.
#pragma once

#include <algorithm>

#include "simd.hpp"

namespace layerwise::LW_ISA {

constexpr std::uint32_t philox_multipliers[] = {0xD2511F53u, 0xCD9E8D57u};
constexpr std::uint32_t philox_key_increments[] = {0x9E3779B9u, 0xBB67AE85u};
constexpr int philox_rounds = 10;

// Some lanes of 64 bits, one counter each. Only the low half of a lane counts; what stands in the high half is ignored
// by multiply_low.
#if defined(__AVX512F__)
struct PhiloxLanes {
    using Word = __m512i;
    static constexpr int width = 8;
    static LW_INLINE Word all(std::uint32_t word) { return _mm512_set1_epi64(word); }
    // See `interleaved`: its two halves take the even and the odd lanes.
    static LW_INLINE Word count_from(std::uint32_t first) {
        return _mm512_add_epi32(all(first), _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7));
    }
    static LW_INLINE Word multiply_low(Word x, Word y) { return _mm512_mul_epu32(x, y); }
    static LW_INLINE Word high(Word product) { return _mm512_srli_epi64(product, 32); }
    static LW_INLINE Word exclusive_or(Word x, Word y, Word z) { return _mm512_ternarylogic_epi64(x, y, z, 0x96); }
    // Two words of every counter, as floats in [0, 1), side by side.
    static LW_INLINE __m512 uniform(Word even, Word odd) {
        const Word words = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
        return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(words, 8)), _mm512_set1_ps(0x1p-24f));
    }
    static LW_INLINE void store_interleaved(float* out, __m512 first_pairs, __m512 second_pairs) {
        const __m512d first = _mm512_castps_pd(first_pairs), second = _mm512_castps_pd(second_pairs);
        _mm512_storeu_ps(out, _mm512_castpd_ps(_mm512_unpacklo_pd(first, second)));
        _mm512_storeu_ps(out + 16, _mm512_castpd_ps(_mm512_unpackhi_pd(first, second)));
    }
};
#elif defined(__AVX2__)
struct PhiloxLanes {
    using Word = __m256i;
    static constexpr int width = 4;
    static LW_INLINE Word all(std::uint32_t word) { return _mm256_set1_epi64x(word); }
    static LW_INLINE Word count_from(std::uint32_t first) {
        return _mm256_add_epi32(all(first), _mm256_setr_epi64x(0, 2, 1, 3));
    }
    static LW_INLINE Word multiply_low(Word x, Word y) { return _mm256_mul_epu32(x, y); }
    static LW_INLINE Word high(Word product) { return _mm256_srli_epi64(product, 32); }
    static LW_INLINE Word exclusive_or(Word x, Word y, Word z) { return _mm256_xor_si256(_mm256_xor_si256(x, y), z); }
    static LW_INLINE __m256 uniform(Word even, Word odd) {
        const Word words = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
        return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srli_epi32(words, 8)), _mm256_set1_ps(0x1p-24f));
    }
    static LW_INLINE void store_interleaved(float* out, __m256 first_pairs, __m256 second_pairs) {
        const __m256d first = _mm256_castps_pd(first_pairs), second = _mm256_castps_pd(second_pairs);
        _mm256_storeu_ps(out, _mm256_castpd_ps(_mm256_unpacklo_pd(first, second)));
        _mm256_storeu_ps(out + 8, _mm256_castpd_ps(_mm256_unpackhi_pd(first, second)));
    }
};
#else
struct PhiloxLanes {
    struct Pair {
        float even, odd;
    };
    using Word = std::uint64_t;
    static constexpr int width = 1;
    static LW_INLINE Word all(std::uint32_t word) { return word; }
    static LW_INLINE Word count_from(std::uint32_t first) { return first; }
    static LW_INLINE Word multiply_low(Word x, Word y) { return (x & 0xFFFFFFFFu) * y; }
    static LW_INLINE Word high(Word product) { return product >> 32; }
    static LW_INLINE Word exclusive_or(Word x, Word y, Word z) { return x ^ y ^ z; }
    static LW_INLINE float as_uniform(Word word) {
        return static_cast<float>(static_cast<std::uint32_t>(word) >> 8) * 0x1p-24f;
    }
    static LW_INLINE Pair uniform(Word even, Word odd) { return {as_uniform(even), as_uniform(odd)}; }
    static LW_INLINE void store_interleaved(float* out, Pair first, Pair second) {
        out[0] = first.even, out[1] = first.odd, out[2] = second.even, out[3] = second.odd;
    }
};
#endif

// The key words of all rounds, broadcast once for many counters.
struct PhiloxKeys {
    PhiloxLanes::Word words[philox_rounds][2];

    explicit LW_INLINE PhiloxKeys(std::uint64_t seed) {
        std::uint32_t low = static_cast<std::uint32_t>(seed), high = static_cast<std::uint32_t>(seed >> 32);
        for (auto& word : words) {
            word[0] = PhiloxLanes::all(low), word[1] = PhiloxLanes::all(high);
            low += philox_key_increments[0], high += philox_key_increments[1];
        }
    }
};

// The numbers of the counters (block, row, step, purpose_layer), 4 of each, for PhiloxLanes::width blocks from `block`.
LW_INLINE void philox_blocks(float* out, std::uint32_t block, std::uint32_t row, std::uint32_t step,
                             std::uint32_t purpose_layer, const PhiloxKeys& keys) {
    using Lanes = PhiloxLanes;
    using Word = Lanes::Word;
    const Word multiplier0 = Lanes::all(philox_multipliers[0]), multiplier1 = Lanes::all(philox_multipliers[1]);
    Word c0 = Lanes::count_from(block), c1 = Lanes::all(row), c2 = Lanes::all(step), c3 = Lanes::all(purpose_layer);
    for (const auto& key : keys.words) {
        const Word product0 = Lanes::multiply_low(c0, multiplier0), product1 = Lanes::multiply_low(c2, multiplier1);
        c0 = Lanes::exclusive_or(Lanes::high(product1), c1, key[0]);
        c1 = product1;
        c2 = Lanes::exclusive_or(Lanes::high(product0), c3, key[1]);
        c3 = product0;
    }
    Lanes::store_interleaved(out, Lanes::uniform(c0, c1), Lanes::uniform(c2, c3));
}

// out: (d,) uniform numbers in [0, 1), multiples of 2^-24, of one row of the data set.
template <class T>
void uniform_row(T* out, std::int64_t d, std::uint32_t row, std::uint32_t step, std::uint32_t purpose_layer,
                 std::uint64_t seed) {
    constexpr std::int64_t at_once = 4 * PhiloxLanes::width;
    const PhiloxKeys keys(seed);
    float numbers[at_once];
    std::int64_t unit = 0;
    for (; unit + at_once <= d; unit += at_once) {
        philox_blocks(numbers, static_cast<std::uint32_t>(unit / 4), row, step, purpose_layer, keys);
        std::copy_n(numbers, at_once, out + unit);
    }
    if (unit < d) {
        philox_blocks(numbers, static_cast<std::uint32_t>(unit / 4), row, step, purpose_layer, keys);
        std::copy_n(numbers, d - unit, out + unit);
    }
}

}  // namespace layerwise::LW_ISA
