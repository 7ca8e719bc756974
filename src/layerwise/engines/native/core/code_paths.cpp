// Which instruction sets this processor has, and the kernels of each.
#include "kernels.hpp"

namespace layerwise {

#define LW_DECLARE(isa)                                \
    namespace isa {                                    \
    template <class T> const Kernels<T>& kernels();    \
    extern template const Kernels<float>& kernels();   \
    extern template const Kernels<double>& kernels();  \
    }

LW_DECLARE(portable)
#ifndef LW_ONLY_PORTABLE
LW_DECLARE(avx2)
LW_DECLARE(avx512)
#endif

bool has(CodePath path) {
#ifndef LW_ONLY_PORTABLE
    __builtin_cpu_init();
    if (path == CodePath::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (path == CodePath::avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
#endif
    return path == CodePath::portable;
}

template <class T> const Kernels<T>* kernels_of(CodePath path) {
    if (!has(path)) return nullptr;
#ifndef LW_ONLY_PORTABLE
    if (path == CodePath::avx512) return &avx512::kernels<T>();
    if (path == CodePath::avx2) return &avx2::kernels<T>();
#endif
    return &portable::kernels<T>();
}

template const Kernels<float>* kernels_of<float>(CodePath);
template const Kernels<double>* kernels_of<double>(CodePath);

}  // namespace layerwise
