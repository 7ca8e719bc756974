// What the instruction sets have in common: the calls of every kernel, and the table in which each offers its own.
#pragma once

#include <cstdint>

namespace layerwise {

using Index = std::int64_t;

// C = A B, or bias + A B, on rows of C that lie densely one after the other. Entry (r, k) of A is at
// A[r * row_stride + k * inner_stride], so a transposed A needs no copy; rows of B lie `B_stride` apart.
template <class T> struct Product {
    Index rows, columns, inner;
    const T* A;
    Index A_row_stride, A_inner_stride;
    const T* B;
    Index B_stride;
    bool B_packed;  // in the layout of Kernels::pack
    const T* bias;  // (columns,) or null
    T* C;
};

// Primitives of expressions (ops/symbols.py), and what the encoder makes of some pairs of them.
enum class Primitive : std::uint8_t {
    add, subtract, multiply, divide, max, min, less, where, abs, sqrt, exp, expm1, log, log1p, tanh, cos, erf,
    copy,          // a
    multiply_add,  // a b + c
    multiply_subtract,  // a b - c
    subtract_product,   // c - a b
    sum,           // adds a to the result's sum
    sum_product,   // adds a b to it
    count
};

// Registers of one formula: operands, constants, temporaries and results.
constexpr int kMostRegisters = 320;

struct Instruction {
    Primitive primitive;
    std::int16_t result, a, b, c;  // registers
};

// How an operand of a map covers its (rows, columns). An outer product is a row times a column that is given beside;
// `copies` is a scalar that lies there as a whole vector of copies. Plans know the first four.
enum class Cover : std::uint8_t { full, row, column, scalar, outer, copies };

// One elementwise formula on (rows, columns). Registers: operands, constants, temporaries, results.
template <class T> struct Map {
    Index rows, columns;
    int operands, constants, temporaries, instructions, results;
    const T* const* operand;
    const Cover* cover;
    const T* constant;         // a vector of copies of each
    const Instruction* instruction;
    T* const* result;          // null where the result is only summed
    T* const* sum;             // where to put the sum over all elements, or null
    const T* outer_column;     // an outer product's factor of each row
    const T* ahead_row;        // or null. A known formula of an outer product puts into `ahead` the dot products of this
    T* ahead;                  // row with the rows of its first stored result, as they are when it is done
    bool may_overrun;          // what a last vector covers beyond a block may be read, and written before its turn,
    Index room;                // as long as it is within so many elements
    T* workspace;              // map_workspace(kernels, registers) elements
};

// A formula as a plan has it, for comparison with those that the compiler has seen (known_formulas.inc).
struct FormulaCode {
    int operands, constants, temporaries, instructions, results;
    const Cover* cover;
    const bool* summed;  // by result
    const Instruction* instruction;
    int gradient;        // the operand that may be an outer product, or -1
};

// One of several operations on a few columns, see columns.hpp. Registers count from 0; a result is one, or the first.
enum class ColumnStep : std::uint8_t { map, sum, max, pick, one_hot };
template <class T> struct ColumnPart {
    ColumnStep step;
    int columns;              // of the operand of a reduction, or of the results
    int operand, codes, result;
    // of a map
    int operands, constants, temporaries, instructions, results;
    const int* operand_register;
    const T* constant;        // a vector of copies of each
    const Instruction* instruction;
};

// Operations that run together, in registers that hold the columns of a few rows. First the inputs' registers, then the
// results of the parts in their order.
template <class T> struct Columns {
    Index rows;
    bool single_row;              // of the whole batch: bits must not depend on how it is cut
    int inputs, registers, parts, results;
    const int* width;             // columns of each register; 0 for a scalar or codes
    const T* const* input;        // rows of numbers, or copies of a scalar; null for codes
    const Index* const* codes;    // by input; null for numbers
    const ColumnPart<T>* part;
    const int* result_register;
    T* const* result;
    T* workspace;                 // columns_workspace(kernels, ...) elements
};

// Rows of a sparse matrix, by compressed rows.
template <class T> struct SparseRows {
    const Index* start;    // (rows + 1,) into column and value
    const Index* column;
    const T* value;
};

enum class Number : std::int32_t { f32, f64, u8, i8, u16, i16, u32, i32, u64, i64, count };

// Rows of a strided array, converted to T and laid densely one after the other.
struct Gather {
    const void* data;
    Number number;
    Index row_stride, column_stride;  // in bytes
    Index columns;
    const Index* rows;
    Index count;
};

// Columns that may be taken together, and the registers and temporaries of them.
constexpr int kMostColumns = 32;
constexpr int kMostColumnRegisters = 160;

template <class T> struct Kernels {
    int vector_width;
    int packed_columns;  // columns of a packed block
    int map_block;       // elements of a map's register
    Index long_row;      // columns from which on known formulas of an outer product look ahead

    void (*multiply)(const Product<T>&);
    // C = bias + A B' for few rows: B is (columns, inner), dot products along its rows.
    void (*multiply_transposed)(const Product<T>&);
    // Rows first..last of W (outputs, inputs) into blocks of W': packed[block][input][output in block].
    void (*pack)(const T* W, Index outputs, Index inputs, Index first, Index last, T* packed);
    // C = bias + X W', W' packed.
    void (*multiply_sparse)(const SparseRows<T>&, Index rows, Index columns, Index inner, const T* packed, const T* bias, T* C);
    // C (last - first, inputs) = the rows first..last of grad' X, X sparse with `rows` rows.
    void (*multiply_by_sparse)(const SparseRows<T>&, Index rows, Index inputs, const T* grad, Index outputs, Index first, Index last, T* C);

    void (*map)(const Map<T>&);
    // The same for a formula that the compiler has seen, with an outer product as one operand or without; null for others.
    void (*(*known_map)(const FormulaCode&, bool outer))(const Map<T>&);
    void (*columns)(const Columns<T>&);
    void (*sum_rows)(const T* A, Index rows, Index columns, T* out);
    void (*sum_columns)(const T* A, Index rows, Index columns, T* out);
    void (*max_columns)(const T* A, Index rows, Index columns, T* out);
    void (*uniform)(T* out, Index columns, std::uint32_t row, std::uint32_t step, std::uint32_t purpose_layer, std::uint64_t seed);
    void (*gather)(const Gather&, T* out);
};

// Elements that the workspace of a map with so many registers needs.
template <class T> Index map_workspace(const Kernels<T>& kernels, Index registers) {
    return registers * (kernels.map_block + 2 * kernels.vector_width);
}

// The same for operations on a few columns: so many columns in all registers and temporaries.
template <class T> Index columns_workspace(const Kernels<T>& kernels, Index columns) {
    return (columns + 1) * kernels.vector_width;
}

enum class CodePath : std::int32_t { portable, avx2, avx512, count };

bool has(CodePath path);

// Null where the processor or the library lacks that path.
template <class T> const Kernels<T>* kernels_of(CodePath path);

}  // namespace layerwise
