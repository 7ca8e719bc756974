// A plan: a Program, scheduled and laid out by program/ and written as numbers by engines/native/encoding.py.
//
// `decode` checks every number before anything is executed, so that a damaged plan is refused and never run.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.hpp"

namespace layerwise {

constexpr Index kPlanMagic = 0x4c57504c414e;  // "LWPLAN"
constexpr Index kAbi = 2;

struct PlanError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

enum class Storage { full, slot, vector, given, scalar, row_count, count };
enum class Role { other, features, targets, codes, weights, rows, key, count };
enum class Kind {
    matmul, map, sum_rows, sum_columns, max_columns, pick, one_hot, gather_rows, scatter_add_rows, grouped_matmul,
    concatenate, slice_columns, uniform, copy, pack, columns, count
};

// (rows or rows * n) x columns numbers; vectors are one row, scalars one number.
struct Value {
    Storage storage;
    Index index;  // of the slot, vector, given array or scalar
    Index start;  // within the vector
    bool symbolic;
    Index rows, columns;
    Index count(Index n) const { return (symbolic ? rows * n : rows) * columns; }
};

struct Given {
    Role role;
    bool integers;
    bool symbolic;
    Index rows, columns;
    Index count(Index n) const { return (symbolic ? rows * n : rows) * columns; }
};

// W' in packed blocks: kept while the program writes W.
struct Packed {
    int value;
    bool kept;  // a slice of a vector, packed when a run starts and after each write; else packed before its phase
};

// Bytecode over registers; see Map in kernels.hpp.
struct Formula {
    std::vector<double> constants;
    int temporaries = 0;
    Index results = 0;
    std::vector<Instruction> instructions;
};

// One of several operations on a few columns; registers are numbered as in Columns of kernels.hpp.
struct ColumnOperation {
    ColumnStep step;
    int columns = 0, operand = 0, codes = 0, result = 0;
    std::vector<int> operands;
    Formula formula;
};

struct Operation {
    Kind kind;
    int number = 0;  // among all of the plan
    std::vector<int> operands;  // values; the order is in encoding.py
    int result = -1;
    int bias = -1;
    int packed = -1;
    bool transpose_a = false, transpose_b = false;
    Index start = 0, groups = 0, purpose_layer = 0;
    // of a map
    Index rows_each = 0, columns = 0;  // rows for each row of the phase
    std::vector<Cover> covers;
    Formula formula;
    std::vector<int> results, sums;  // values or -1
    bool exact = false;  // nothing beyond its arrays may be touched: they are given, or lie over one another
    bool reads_given = false;
    int product = -1;           // the operation just before it, whose result only it reads,
    int product_result = -1;    // and that result
    // of a product
    bool may_be_outer = false;  // such a one, transposed: with one row in the batch it need not be stored
    // of several operations on a few columns
    std::vector<ColumnOperation> parts;
    std::vector<int> widths;           // columns of each register; 0 for a scalar or codes
    std::vector<int> result_registers;  // of `results`
    Index workspace = 0;               // vectors
};

// Operations that run together on one block of rows after the other.
struct Phase {
    int level;
    bool symbolic;
    Index rows;
    std::vector<Index> slots;  // columns of each
    std::vector<Operation> operations;
    bool has_sums = false;
};

struct Plan {
    int bytes;  // of a number: 4 or 8
    std::vector<Index> vectors;
    std::vector<Given> given;
    Index scalars = 0;
    std::vector<Value> values;
    std::vector<Packed> packed;
    std::vector<Phase> phases;
    int operations = 0;
    std::vector<int> outputs;

    static Plan decode(const Index* code, Index length, const double* constants, Index n_constants);
};

}  // namespace layerwise
