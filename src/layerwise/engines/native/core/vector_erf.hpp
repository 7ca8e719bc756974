// erf.
#pragma once

#include "vector_exp.hpp"

namespace layerwise::LW_ISA {

// -log(1 - erf(a)) = a + a q(a) for a from 0 to where erf(a) is 1; made by tests/native/cpp/coefficients.py.
template <class T> struct ErfConstants;
template <> struct ErfConstants<float> {
    static constexpr float q[] = {
        1.2837917e-1f, 6.366194e-1f, 1.0277783e-1f, -1.9153068e-2f, -1.6038805e-4f, 1.6670193e-3f, -6.32832e-4f,
        1.1763971e-4f, -9.256061e-6f};
    static constexpr float is_one = 4.0f;
};
template <> struct ErfConstants<double> {
    static constexpr double q[] = {
        1.2837916709551256e-1, 6.366197723675909e-1, 1.0277260330131535e-1, -1.9128446993092605e-2,
        -2.0919485394945268e-4, 1.6962076700670077e-3, -5.901324311288857e-4, 2.59045029963344e-5, 6.442046438129608e-5,
        -2.957565406541652e-5, 3.169652835341691e-6, 3.132983643847967e-6, -2.0372081407465126e-6, 5.706468920206755e-7,
        -1.171658627183944e-8, -6.57297189431621e-8, 3.4583477448128494e-8, -1.0772965211310319e-8,
        2.3604311381455318e-9, -3.7605737919499207e-10, 4.3016199150683835e-11, -3.3642118428683005e-12,
        1.6148003986103447e-13, -3.5920277074454125e-15};
    static constexpr double is_one = 5.95;
};

template <class T> struct ErrorFunction {
    using S = Simd<T>;
    using V = typename S::V;
    using Tools = VectorTools<T>;
    using Constants = ErfConstants<T>;

    // erf(a) = -expm1(-(a + a q(a))): small errors of q matter the less the greater a is.
    // At most 2.3 ulp (float 2.0).
    static LW_INLINE V erf(V x) {
        const V a = Tools::at_most(Tools::abs(x), Constants::is_one);
        const V q = Tools::polynomial(Constants::q, a);
        return Tools::copy_sign(Exponentials<T>::expm1_of_negative(S::fma(-a, q, -a)), x);
    }
};

}  // namespace layerwise::LW_ISA
