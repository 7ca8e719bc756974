// Several operations on a few columns at once, such as softmax, its loss and its gradient.
//
// Serves max_columns, sum_columns, pick, one_hot and map of the vocabulary (rules/outputs.py); their reference is
// ops/numpy_ops.py. A register holds one column of as many rows as a vector has lanes, so that a reduction over columns
// is as many vector operations as there are columns, and one number a row is a single vector.
#pragma once

#include "kernels.hpp"
#include "map.hpp"
#include "product.hpp"
#include "simd.hpp"
#include "vector_math.hpp"

namespace layerwise::LW_ISA {

// `columns` columns of `valid` rows into a vector each; lanes of other rows hold numbers of no meaning.
template <class T> LW_INLINE void load_columns(const T* from, Index valid, int columns, T* to) {
    using S = Simd<T>;
    constexpr int W = S::width;
    if (columns == 1) return S::store(to, valid == W ? S::load(from) : S::load_partial(from, static_cast<int>(valid)));
    if (valid == 1) {
        for (int c = 0; c < columns; ++c) S::store(to + c * W, S::broadcast(from[c]));
        return;
    }
    for (int first = 0; first < columns; first += W) {
        const int count = columns - first < W ? columns - first : W;
        typename S::V v[W];
        for (Index r = 0; r < W; ++r) v[r] = r < valid ? S::load_partial(from + r * columns + first, count) : typename S::V{};
        transpose<T>(v);
        for (int c = 0; c < count; ++c) S::store(to + (first + c) * W, v[c]);
    }
}

template <class T> LW_INLINE void store_columns(const T* from, Index valid, int columns, T* to) {
    using S = Simd<T>;
    constexpr int W = S::width;
    if (columns == 1) return S::store_partial(to, S::load(from), static_cast<int>(valid));
    if (valid == 1) {
        for (int c = 0; c < columns; ++c) to[c] = from[c * W];
        return;
    }
    for (int first = 0; first < columns; first += W) {
        const int count = columns - first < W ? columns - first : W;
        typename S::V v[W];
        for (int c = 0; c < W; ++c) v[c] = c < count ? S::load(from + (first + c) * W) : typename S::V{};
        transpose<T>(v);
        for (Index r = 0; r < valid; ++r) S::store_partial(to + r * columns + first, v[r], count);
    }
}

// The registers of one operation, so many columns in a vector.
template <class T> class ColumnRegisters {
  protected:
    using S = Simd<T>;
    using V = typename S::V;
    static constexpr int W = S::width;

    ColumnRegisters(const Columns<T>& what, int columns_in_a_vector) : what_(what), in_a_vector_(columns_in_a_vector) {
        T* next = what.workspace;
        for (int i = 0; i < what.registers; ++i) {
            const bool scalar = i < what.inputs && what.width[i] == 0 && what.input[i];
            place_[i] = scalar ? const_cast<T*>(what.input[i]) : next;
            if (!scalar) next += vectors(what.width[i] > 0 ? what.width[i] : 1) * W;  // codes take one vector
        }
        temporaries_ = next;
    }

    int vectors(int columns) const { return (columns + in_a_vector_ - 1) / in_a_vector_; }

    void map(const ColumnPart<T>& p) const {
        Register<T> registers[kMostRegisters];
        Register<T>* next = registers;
        const int count = vectors(p.columns);
        for (int i = 0; i < p.operands; ++i) {
            const int from = p.operand_register[i];
            *next++ = {place_[from], what_.width[from] == p.columns ? 1 : 0};
        }
        for (int i = 0; i < p.constants; ++i) *next++ = {const_cast<T*>(p.constant) + i * W, 0};
        for (int i = 0; i < p.temporaries; ++i) *next++ = {temporaries_ + i * count * W, 1};
        for (int i = 0; i < p.results; ++i) *next++ = {place_[p.result + i], 1};
        for (int i = 0; i < p.instructions; ++i) run_instruction<T>(p.instruction[i], count, registers);
    }

    const Columns<T>& what_;
    const int in_a_vector_;
    T* place_[kMostColumnRegisters];
    T* temporaries_;
};

template <class T> class ColumnsRun : ColumnRegisters<T> {
    using Base = ColumnRegisters<T>;
    using S = Simd<T>;
    using V = typename S::V;
    using Base::place_, Base::what_, Base::W;

  public:
    explicit ColumnsRun(const Columns<T>& what) : Base(what, 1) {}

    void block(Index row) {
        const Index valid = what_.rows - row < W ? what_.rows - row : W;
        for (int i = 0; i < what_.inputs; ++i) {
            if (what_.codes[i]) {
                T numbers[W] = {};  // few enough columns that a code is exact
                for (Index r = 0; r < valid; ++r) numbers[r] = static_cast<T>(what_.codes[i][row + r]);
                S::store(place_[i], S::load(numbers));
            } else if (what_.width[i] > 0) {
                load_columns(what_.input[i] + row * what_.width[i], valid, what_.width[i], place_[i]);
            }
        }
        for (int i = 0; i < what_.parts; ++i) part(what_.part[i]);
        for (int i = 0; i < what_.results; ++i) {
            const int from = what_.result_register[i];
            store_columns(place_[from], valid, what_.width[from], what_.result[i] + row * what_.width[from]);
        }
    }

  private:
    void part(const ColumnPart<T>& p) {
        if (p.step == ColumnStep::map) return this->map(p);
        T* const out = place_[p.result];
        if (p.step == ColumnStep::one_hot) {
            const V code = S::load(place_[p.codes]);
            for (int c = 0; c < p.columns; ++c)
                S::store(out + c * W, code == S::broadcast(static_cast<T>(c)) ? S::broadcast(1) : V{});
            return;
        }
        const T* const a = place_[p.operand];
        V result = S::load(a);
        if (p.step == ColumnStep::sum) {
            for (int c = 1; c < p.columns; ++c) result = result + S::load(a + c * W);
        } else if (p.step == ColumnStep::max) {
            for (int c = 1; c < p.columns; ++c) result = VectorMath<T>::max(result, S::load(a + c * W));
        } else {
            const V code = S::load(place_[p.codes]);
            for (int c = 1; c < p.columns; ++c) result = code == S::broadcast(static_cast<T>(c)) ? S::load(a + c * W) : result;
        }
        S::store(out, result);
    }
};

// The same for a single row, which lies in the lanes: one vector then holds many columns, and one number is in all lanes.
template <class T> class RowRun : ColumnRegisters<T> {
    using Base = ColumnRegisters<T>;
    using S = Simd<T>;
    using V = typename S::V;
    using Base::place_, Base::what_, Base::W;

  public:
    explicit RowRun(const Columns<T>& what) : Base(what, Base::W) {}

    void run() {
        for (int i = 0; i < what_.inputs; ++i) {
            const int width = what_.width[i];
            if (width == 1) S::store(place_[i], S::broadcast(*what_.input[i]));
            if (width > 1)
                for (int c = 0; c < width; c += W) S::store(place_[i] + c, load(what_.input[i] + c, width - c));
        }
        for (int i = 0; i < what_.parts; ++i) part(what_.part[i]);
        for (int i = 0; i < what_.results; ++i) {
            const int from = what_.result_register[i], width = what_.width[from];
            for (int c = 0; c < width; c += W) S::store_partial(what_.result[i] + c, S::load(place_[from] + c), width - c < W ? width - c : W);
        }
    }

  private:
    static LW_INLINE V load(const T* from, int count) { return count >= W ? S::load(from) : S::load_partial(from, count); }

    // The numbers of a register, joined; those behind its columns are `filler`.
    template <class F> LW_INLINE V joined(const T* a, int columns, V filler, F f) const {
        typename S::I lane;
        for (int i = 0; i < W; ++i) lane[i] = i;
        V all = filler;
        for (int c = 0; c < columns; c += W) {
            const V v = S::load(a + c);
            all = f(all, lane < static_cast<typename S::Int>(columns - c) ? v : filler);
        }
        return across<W / 2>(all, f);
    }
    // All lanes joined, in all lanes.
    template <int DISTANCE, class F> static LW_INLINE V across(V v, F f) {
        if constexpr (DISTANCE == 0) return v;
        else return across<DISTANCE / 2>(f(v, swapped<DISTANCE>(v, std::make_index_sequence<static_cast<std::size_t>(W)>{})), f);
    }
    template <int DISTANCE, std::size_t... LANE> static LW_INLINE V swapped(V v, std::index_sequence<LANE...>) {
        return shuffle<T, (static_cast<int>(LANE) ^ DISTANCE)...>(v, v);
    }

    void part(const ColumnPart<T>& p) {
        if (p.step == ColumnStep::map) return this->map(p);
        T* const out = place_[p.result];
        if (p.step == ColumnStep::one_hot) {
            const Index code = *what_.codes[p.codes];
            for (int c = 0; c < p.columns; c += W) S::store(out + c, V{});
            if (code >= 0 && code < p.columns) out[code] = 1;
            return;
        }
        const T* const a = place_[p.operand];
        if (p.step == ColumnStep::sum) S::store(out, joined(a, p.columns, V{}, [](V x, V y) LW_INLINE_LAMBDA { return x + y; }));
        else if (p.step == ColumnStep::max) S::store(out, joined(a, p.columns, S::broadcast(a[0]), [](V x, V y) LW_INLINE_LAMBDA { return VectorMath<T>::max(x, y); }));
        else S::store(out, S::broadcast(a[*what_.codes[p.codes]]));
    }
};

template <class T> void columns(const Columns<T>& what) {
    if (what.single_row) return RowRun<T>(what).run();
    ColumnsRun<T> run(what);
    for (Index row = 0; row < what.rows; row += Simd<T>::width) run.block(row);
}

}  // namespace layerwise::LW_ISA
