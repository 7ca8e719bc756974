// Elementwise formulas, run as bytecode over blocks of vectors.
//
// Serves map of the vocabulary, so activations, losses, penalties and updates, built in or a user's own; its reference
// is ops/numpy_ops.py, evaluate. A register is a block of elements; an instruction runs over a whole block, which makes
// its dispatch cheap beside its work.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"
#include "vector_math.hpp"

namespace layerwise::LW_ISA {

constexpr int kMapBlockBytes = 2048;

template <class T> constexpr int map_block() { return kMapBlockBytes / static_cast<int>(sizeof(T)); }

// A register: where its block is, and 0 instead of 1 as its step if one vector stands for all.
template <class T> struct Register {
    T* at;
    int step;
};

template <class T, class F> LW_INLINE void over1(Index vectors, Register<T> out, Register<T> a, F f) {
    using S = Simd<T>;
    const Index step_a = a.step * S::width;
    for (Index i = 0; i < vectors; ++i) S::store(out.at + i * S::width, f(S::load(a.at + i * step_a)));
}

template <class T, class F> LW_INLINE void over2(Index vectors, Register<T> out, Register<T> a, Register<T> b, F f) {
    using S = Simd<T>;
    const Index step_a = a.step * S::width, step_b = b.step * S::width;
    for (Index i = 0; i < vectors; ++i)
        S::store(out.at + i * S::width, f(S::load(a.at + i * step_a), S::load(b.at + i * step_b)));
}

template <class T, class F>
LW_INLINE void over3(Index vectors, Register<T> out, Register<T> a, Register<T> b, Register<T> c, F f) {
    using S = Simd<T>;
    const Index step_a = a.step * S::width, step_b = b.step * S::width, step_c = c.step * S::width;
    for (Index i = 0; i < vectors; ++i)
        S::store(out.at + i * S::width,
                 f(S::load(a.at + i * step_a), S::load(b.at + i * step_b), S::load(c.at + i * step_c)));
}

template <class T> void run_instruction(const Instruction& what, Index vectors, const Register<T>* registers) {
    using V = typename Simd<T>::V;
    using M = VectorMath<T>;
    const Register<T> out = registers[what.result], a = registers[what.a], b = registers[what.b], c = registers[what.c];
    switch (what.primitive) {
        case Primitive::add: return over2(vectors, out, a, b, [](V x, V y) { return x + y; });
        case Primitive::subtract: return over2(vectors, out, a, b, [](V x, V y) { return x - y; });
        case Primitive::multiply: return over2(vectors, out, a, b, [](V x, V y) { return x * y; });
        case Primitive::divide: return over2(vectors, out, a, b, [](V x, V y) { return x / y; });
        case Primitive::max: return over2(vectors, out, a, b, [](V x, V y) { return M::max(x, y); });
        case Primitive::min: return over2(vectors, out, a, b, [](V x, V y) { return M::min(x, y); });
        case Primitive::less: return over2(vectors, out, a, b, [](V x, V y) { return M::less(x, y); });
        case Primitive::where: return over3(vectors, out, a, b, c, [](V x, V y, V z) { return M::where(x, y, z); });
        case Primitive::abs: return over1(vectors, out, a, [](V x) { return M::abs(x); });
        case Primitive::sqrt: return over1(vectors, out, a, [](V x) { return M::sqrt(x); });
        case Primitive::exp: return over1(vectors, out, a, [](V x) { return M::exp(x); });
        case Primitive::expm1: return over1(vectors, out, a, [](V x) { return M::expm1(x); });
        case Primitive::log: return over1(vectors, out, a, [](V x) { return M::log(x); });
        case Primitive::log1p: return over1(vectors, out, a, [](V x) { return M::log1p(x); });
        case Primitive::tanh: return over1(vectors, out, a, [](V x) { return M::tanh(x); });
        case Primitive::cos: return over1(vectors, out, a, [](V x) { return M::cos(x); });
        case Primitive::erf: return over1(vectors, out, a, [](V x) { return M::erf(x); });
        case Primitive::copy: return over1(vectors, out, a, [](V x) { return x; });
        case Primitive::multiply_add: return over3(vectors, out, a, b, c, [](V x, V y, V z) { return Simd<T>::fma(x, y, z); });
        case Primitive::multiply_subtract:
            return over3(vectors, out, a, b, c, [](V x, V y, V z) { return Simd<T>::fma(x, y, -z); });
        case Primitive::subtract_product:
            return over3(vectors, out, a, b, c, [](V x, V y, V z) { return Simd<T>::fma(-x, y, z); });
        case Primitive::sum: case Primitive::sum_product: case Primitive::count: return;  // see MapRun
    }
}

// What runs one formula: its registers, filled anew for each block.
template <class T> class MapRun {
    using S = Simd<T>;
    static constexpr int W = S::width;

  public:
    explicit MapRun(const Map<T>& map) : map_(map) {
        const int fixed = map.operands + map.constants;
        first_result_ = fixed + map.temporaries;
        for (int i = 0; i < map.constants; ++i) registers_[map.operands + i] = {const_cast<T*>(map.constant) + i * W, 0};
        for (int i = 0; i < map.operands; ++i) {
            if (map.cover[i] == Cover::scalar) splat(i, *map.operand[i]);
            if (map.cover[i] == Cover::copies) registers_[i] = {const_cast<T*>(map.operand[i]), 0};
            by_row_ = by_row_ || map.cover[i] == Cover::row || map.cover[i] == Cover::column || map.cover[i] == Cover::outer;
        }
        for (int i = 0; i < map.temporaries; ++i) registers_[fixed + i] = {own(fixed + i), 1};
        for (int i = 0; i < map.results; ++i) sum_[i] = typename S::V{};
    }

    void run() {
        if (!by_row_) {
            flat(0, map_.rows * map_.columns);
        } else if (map_.rows == 1 || 2 * map_.columns > block_) {
            for (Index row = 0; row < map_.rows; ++row) {
                for (int i = 0; i < map_.operands; ++i)
                    if (map_.cover[i] == Cover::column) splat(i, map_.operand[i][row]);
                flat(row * map_.columns, map_.columns);
            }
        } else {
            several_rows();
        }
        for (int i = 0; i < map_.results; ++i)
            if (map_.sum[i]) *map_.sum[i] = S::sum(sum_[i]);
    }

  private:
    // A register's own block, with two vectors behind it.
    T* own(int r) const { return map_.workspace + static_cast<Index>(r) * (block_ + 2 * W); }

    void splat(int r, T value) {
        S::store(own(r), S::broadcast(value));
        registers_[r] = {own(r), 0};
    }

    // One row of an outer product; writes up to a vector too much.
    void multiply_row(int i, T* to, const T* row, Index count, Index r) {
        const typename S::V factor = S::broadcast(map_.outer_column[r]);
        Index c = 0;
        for (; c + W <= count; c += W) S::store(to + c, factor * S::load(row + c));
        if (c < count) S::store(to + c, factor * S::load_partial(row + c, static_cast<int>(count - c)));
        registers_[i] = {own(i), 1};
    }

    // Elements `start` to `start + length` of the rows; a row vector counts from `start` modulo the columns.
    void flat(Index start, Index length) {
        for (Index done = 0; done < length; done += block_) {
            const Index count = length - done < block_ ? length - done : block_;
            for (int i = 0; i < map_.operands; ++i) {
                if (map_.cover[i] == Cover::full) registers_[i] = {const_cast<T*>(map_.operand[i]) + start + done, 1};
                if (map_.cover[i] == Cover::row) registers_[i] = {const_cast<T*>(map_.operand[i]) + done, 1};
                if (map_.cover[i] == Cover::outer) multiply_row(i, own(i), map_.operand[i] + done, count, start / map_.columns);
            }
            one_block(start + done, count, true);
        }
    }

    // Rows shorter than a block: as many whole rows as fit, under row vectors written out once for all of them.
    void several_rows() {
        const Index columns = map_.columns, fit = block_ / columns;
        for (int i = 0; i < map_.operands; ++i) {
            if (map_.cover[i] != Cover::row) continue;
            const Index rows = fit < map_.rows ? fit : map_.rows;
            for (Index row = 0; row < rows; ++row) std::memcpy(own(i) + row * columns, map_.operand[i], static_cast<std::size_t>(columns) * sizeof(T));
            registers_[i] = {own(i), 1};
        }
        for (Index row = 0; row < map_.rows; row += fit) {
            const Index rows = map_.rows - row < fit ? map_.rows - row : fit;
            for (int i = 0; i < map_.operands; ++i) {
                if (map_.cover[i] == Cover::full) registers_[i] = {const_cast<T*>(map_.operand[i]) + row * columns, 1};
                if (map_.cover[i] == Cover::column) {
                    for (Index r = 0; r < rows; ++r) {
                        const typename S::V value = S::broadcast(map_.operand[i][row + r]);
                        for (Index c = 0; c < columns; c += W) S::store(own(i) + r * columns + c, value);  // a vector of slack
                    }
                    registers_[i] = {own(i), 1};
                }
                if (map_.cover[i] == Cover::outer)
                    for (Index r = 0; r < rows; ++r) multiply_row(i, own(i) + r * columns, map_.operand[i], columns, row + r);
            }
            one_block(row * columns, rows * columns, false);
        }
    }

    // `count` elements from `start`; the operands' registers are set. Whole vectors first; then the rest, through own
    // memory, where nothing may be read or written beyond it.
    void one_block(Index start, Index count, bool rows_are_outside) {
        const Index rest = count % W, up = (count + W - 1) / W;
        const bool overrun = map_.may_overrun && start + up * W <= map_.room;
        const Index whole = overrun ? up : count / W;
        if (whole > 0) {
            for (int i = 0; i < map_.results; ++i)
                registers_[first_result_ + i] = {map_.result[i] ? map_.result[i] + start : own(first_result_ + i), 1};
            execute(whole, rest && overrun ? static_cast<int>(rest) : W);
        }
        if (rest && !overrun) {
            const int lanes = static_cast<int>(rest);
            T* saved[kMostRegisters];
            for (int i = 0; i < map_.operands; ++i) {
                saved[i] = registers_[i].at;
                if (registers_[i].step == 0) continue;
                const bool outside = map_.cover[i] == Cover::full || (map_.cover[i] == Cover::row && rows_are_outside);
                T* from = registers_[i].at + whole * W;
                T* place = own(i) + block_;  // behind the block, where a written-out row vector may still be
                if (outside) S::store(place, S::load_partial(from, lanes));
                registers_[i].at = outside ? place : from;
            }
            for (int i = 0; i < map_.results; ++i) registers_[first_result_ + i] = {own(first_result_ + i), 1};
            execute(1, lanes);
            for (int i = 0; i < map_.results; ++i)
                if (map_.result[i]) S::store_partial(map_.result[i] + start + whole * W, S::load(own(first_result_ + i)), lanes);
            for (int i = 0; i < map_.operands; ++i) registers_[i].at = saved[i];
        }
    }

    // Of the last vector, only the first `lanes` count in sums.
    void execute(Index vectors, int lanes) {
        for (int i = 0; i < map_.instructions; ++i) {
            const Instruction& what = map_.instruction[i];
            if (what.primitive == Primitive::sum)
                accumulate(what, vectors, lanes, [](typename S::V sum, typename S::V x, typename S::V) { return sum + x; });
            else if (what.primitive == Primitive::sum_product)
                accumulate(what, vectors, lanes, [](typename S::V sum, typename S::V x, typename S::V y) { return S::fma(x, y, sum); });
            else
                run_instruction<T>(what, vectors, registers_);
        }
    }

    template <class F> LW_INLINE void accumulate(const Instruction& what, Index vectors, int lanes, F f) {
        const Register<T> a = registers_[what.a], b = registers_[what.b];
        const Index step_a = a.step * W, step_b = b.step * W;
        typename S::V chain[4] = {};  // so that additions need not wait for each other
        const Index whole = lanes == W ? vectors : vectors - 1;
        Index i = 0;
        for (; i + 4 <= whole; i += 4)
            for (int c = 0; c < 4; ++c) chain[c] = f(chain[c], S::load(a.at + (i + c) * step_a), S::load(b.at + (i + c) * step_b));
        for (; i < whole; ++i) chain[0] = f(chain[0], S::load(a.at + i * step_a), S::load(b.at + i * step_b));
        if (lanes < W) chain[1] = f(chain[1], S::load_partial(a.at + i * step_a, lanes), S::load_partial(b.at + i * step_b, lanes));
        typename S::V& sum = sum_[what.result - first_result_];
        sum = sum + ((chain[0] + chain[1]) + (chain[2] + chain[3]));
    }

    const Map<T>& map_;
    static constexpr int block_ = map_block<T>();
    int first_result_;
    bool by_row_ = false;
    Register<T> registers_[kMostRegisters];
    typename S::V sum_[kMostRegisters];
};

template <class T> void map(const Map<T>& what) { MapRun<T>(what).run(); }

}  // namespace layerwise::LW_ISA
