// The primitives of expressions on whole vectors, with NumPy's values for NaN, infinities, zeros and denormal numbers.
// The errors stated are the greatest found by tests/native/cpp/math_test.cpp, on every code path, with a small margin.
#pragma once

#include "vector_cos.hpp"
#include "vector_erf.hpp"
#include "vector_exp.hpp"
#include "vector_log.hpp"

namespace layerwise::LW_ISA {

template <class T> struct VectorMath : Exponentials<T>, Logarithms<T>, Cosine<T>, ErrorFunction<T> {
    using S = Simd<T>;
    using V = typename S::V;
    using Tools = VectorTools<T>;

    static LW_INLINE V sqrt(V x) { return S::sqrt(x); }
    static LW_INLINE V abs(V x) { return Tools::abs(x); }
    // NaN if either is NaN.
    static LW_INLINE V max(V x, V y) { return x != x ? x : greater(x, y); }
    static LW_INLINE V min(V x, V y) { return x != x ? x : lesser(x, y); }
    // 1 or 0; 0 with NaN.
    static LW_INLINE V less(V x, V y) { return x < y ? Tools::all(1) : Tools::all(0); }
    // NaN counts as true.
    static LW_INLINE V where(V condition, V x, V y) { return condition != Tools::all(0) ? x : y; }
};

}  // namespace layerwise::LW_ISA
