// cos.
#pragma once

#include "vector_format.hpp"

namespace layerwise::LW_ISA {

// With z = r^2, |r| <= pi / 4: sin(r) = r + r z sin(z), cos(r) = 1 - z / 2 + z^2 cos(z), made by
// tests/native/cpp/coefficients.py, as is half_pi: pi / 2 as a sum. Products of its parts with the integers that occur
// (up to `limit`) are exact with fma, or without it if the parts but the last have few bits.
template <class T> struct CosConstants;
template <> struct CosConstants<float> {
    static constexpr float sin[] = {-1.6666654e-1f, 8.332137e-3f, -1.9511966e-4f};
    static constexpr float cos[] = {4.1666646e-2f, -1.3887284e-3f, 2.442937e-5f};
    static constexpr float half_pi[] = {0x1.921fb6p+0f, -0x1.777a5cp-25f, -0x1.ee59dap-50f};
    static constexpr float per_half_pi = 0.636619747f, limit = 1e5f;
    static constexpr float round_and_one = 12582912.0f + 1.0f;
};
template <> struct CosConstants<double> {
    static constexpr double sin[] = {
        -1.666666666666663e-1, 8.333333333322118e-3, -1.9841269829589756e-4, 2.7557313621490572e-6,
        -2.5050747782286777e-8, 1.589623139268599e-10};
    static constexpr double cos[] = {
        4.1666666666666595e-2, -1.3888888888873058e-3, 2.4801587288852005e-5, -2.75573141793769e-7,
        2.0875700852443842e-9, -1.1358537058015833e-11};
#if defined(__AVX512F__) || defined(__AVX2__)
    static constexpr double half_pi[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};
#else
    static constexpr double half_pi[] = {0x1.921fb4p+0, 0x1.4442dp-24, 0x1.846988p-48, 0x1.8cc518p-72,
                                         -0x1.fc8f8cbb5bf6cp-97};
#endif
    static constexpr double per_half_pi = 0.6366197723675814, limit = 1e9;
    static constexpr double round_and_one = 6755399441055744.0 + 1.0;
};

template <class T> struct Cosine {
    using S = Simd<T>;
    using V = typename S::V;
    using I = typename S::I;
    using Tools = VectorTools<T>;
    using Constants = CosConstants<T>;

    // At most 1.7 ulp up to `limit`; beyond it the lanes go one by one through the C library.
    static LW_INLINE V cos(V x) {
        const Reduced at = reduce(x);
        const V one = Tools::all(1), z = at.r * at.r;
        const V sine = S::fma(at.r * z, Tools::polynomial(Constants::sin, z), at.r);
        const V cosine = S::fma(z * z, Tools::polynomial(Constants::cos, z), S::fma(z, Tools::all(T(-0.5)), one));
        // cos(r + n pi / 2) is cos r, -sin r, -cos r, sin r for n = 0, 1, 2, 3, ...; the last bits are those of n + 1.
        constexpr int to_sign = 8 * sizeof(T) - 1;
        const I bits = S::bits(at.n_plus_one_shifted);
        const V size = Tools::shift_left(bits, to_sign) < 0 ? cosine : sine;
        V value = S::from_bits(S::bits(size) ^ (Tools::shift_left(bits, to_sign - 1) & Tools::sign_bit));
        const auto far = Tools::abs(x) > Tools::all(Constants::limit);
        if (__builtin_expect(Tools::any(far), 0)) replace_far(x, value);
        return value;
    }

  private:
    friend struct Cosine<float>;

    // x = n pi / 2 + r, n an integer, |r| <= pi / 4. Where r is small its relative error is small too.
    struct Reduced {
        V n_plus_one_shifted, n, r;
    };
    static LW_INLINE Reduced reduce(V x) {
        if constexpr (has_fma || sizeof(T) == 8) {
            const V shift = Tools::all(Constants::round_and_one);
            const V n_shifted = S::fma(x, Tools::all(Constants::per_half_pi), shift);
            const V n = n_shifted - shift;
            return {n_shifted, n, minus_multiple_of_half_pi(x, n)};
        } else {
            return reduce_in_double(x);
        }
    }

    static LW_INLINE V minus_multiple_of_half_pi(V x, V n) {
        if constexpr (has_fma) {
            for (const T part : Constants::half_pi) x = S::fma(n, Tools::all(-part), x);
            return x;
        } else {
            // The first two differences are exact; what rounding takes from the third joins the fourth.
            const auto multiple = [n](int part) { return n * Tools::all(Constants::half_pi[part]); };
            const V r2 = x - multiple(0) - multiple(1);
            const V r3 = r2 - multiple(2);
            const V lost = (r2 - r3) - multiple(2);
            return r3 - (multiple(3) - lost) - multiple(4);
        }
    }

    // Without fma, parts of pi / 2 for float would need 8 bits each; a double holds the products easily.
    static LW_INLINE Reduced reduce_in_double(FloatVector x) {
        typedef float HalfVector __attribute__((vector_size(LW_VECTOR_BYTES / 2)));
        HalfVector halves[2], n_halves[2];
        std::memcpy(halves, &x, sizeof x);
        for (int i = 0; i < 2; ++i) {
            const auto at = Cosine<double>::reduce(__builtin_convertvector(halves[i], DoubleVector));
            halves[i] = __builtin_convertvector(at.r, HalfVector);
            n_halves[i] = __builtin_convertvector(at.n, HalfVector);
        }
        Reduced result;
        std::memcpy(&result.r, halves, sizeof x);
        std::memcpy(&result.n, n_halves, sizeof x);
        result.n_plus_one_shifted = result.n + Tools::all(Constants::round_and_one);
        return result;
    }

    static __attribute__((noinline, cold)) void replace_far(const V& x, V& value) {
        for (int i = 0; i < S::width; ++i)
            if (__builtin_fabs(x[i]) > Constants::limit) value[i] = static_cast<T>(__builtin_cos(x[i]));
    }
};

}  // namespace layerwise::LW_ISA
