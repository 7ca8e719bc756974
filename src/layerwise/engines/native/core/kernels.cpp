// The kernels of one instruction set: this file is compiled once for each, with LW_ISA as its name.
#include "kernels.hpp"

#include "columns.hpp"
#include "formulas.hpp"
#include "map.hpp"
#include "philox.hpp"
#include "product.hpp"
#include "rows.hpp"
#include "simd.hpp"
#include "sparse.hpp"

namespace layerwise {
namespace LW_ISA {

template <class T> const Kernels<T>& kernels() {
    static const Kernels<T> table = {
        Simd<T>::width, kBlockVectors * Simd<T>::width, map_block<T>(), kLongRow,
        multiply<T>, multiply_transposed<T>, pack<T>, multiply_sparse<T>, multiply_by_sparse<T>,
        map<T>, known_map<T>, columns<T>, sum_rows<T>, sum_columns<T>, max_columns<T>, uniform_row<T>, gather<T>,
    };
    return table;
}

template const Kernels<float>& kernels<float>();
template const Kernels<double>& kernels<double>();

}  // namespace LW_ISA
}  // namespace layerwise
