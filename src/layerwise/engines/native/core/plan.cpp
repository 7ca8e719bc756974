// Reading a plan, with every number checked.
#include "plan.hpp"

#include <algorithm>

namespace layerwise {

namespace {

constexpr Index kLargest = Index{1} << 40;  // no size or product of sizes in a plan is larger

class Reader {
  public:
    Reader(const Index* code, Index length) : code_(code), length_(length) {}

    Index any() {
        if (at_ >= length_) throw PlanError("the plan ends early");
        return code_[at_++];
    }
    Index within(Index low, Index high, const char* what) {
        const Index value = any();
        if (value < low || value > high) throw PlanError(std::string("the plan has a wrong ") + what + ": " + std::to_string(value));
        return value;
    }
    bool flag(const char* what) { return within(0, 1, what) == 1; }
    template <class E> E choice(const char* what) { return static_cast<E>(within(0, static_cast<Index>(E::count) - 1, what)); }
    void end() const {
        if (at_ != length_) throw PlanError("the plan has numbers behind its end");
    }

  private:
    const Index* code_;
    Index length_;
    Index at_ = 0;
};

void require(bool holds, const char* what) {
    if (!holds) throw PlanError(std::string("the plan does not fit together: ") + what);
}

class Decoder {
  public:
    Decoder(const Index* code, Index length, const double* constants, Index n_constants)
        : in_(code, length), constants_(constants), n_constants_(n_constants) {}

    Plan decode() {
        require(in_.any() == kPlanMagic, "it is no plan");
        require(in_.any() == kAbi, "it is of another version");
        plan_.bytes = in_.any() == 4 ? 4 : 8;
        for (Index i = 0, n = size("number of vectors"); i < n; ++i) plan_.vectors.push_back(in_.within(0, kLargest, "vector"));
        for (Index i = 0, n = size("number of arrays"); i < n; ++i) plan_.given.push_back(given());
        plan_.scalars = in_.within(0, 4096, "number of scalars");
        for (Index i = 0, n = size("number of values"); i < n; ++i) plan_.values.push_back(value());
        for (Index i = 0, n = size("number of packed matrices"); i < n; ++i) plan_.packed.push_back(packed());
        for (Index i = 0, n = size("number of phases"); i < n; ++i) phase();
        for (Index i = 0, n = size("number of outputs"); i < n; ++i) {
            plan_.outputs.push_back(any_value());
            const Value& v = plan_.values[static_cast<std::size_t>(plan_.outputs.back())];
            require(v.storage != Storage::slot && !is_integers(plan_.outputs.back()), "an output is not kept");
        }
        in_.end();
        return std::move(plan_);
    }

  private:
    Index size(const char* what) { return in_.within(0, 1 << 20, what); }
    int any_value() { return static_cast<int>(in_.within(0, static_cast<Index>(plan_.values.size()) - 1, "value")); }
    const Value& at(int v) const { return plan_.values[static_cast<std::size_t>(v)]; }
    bool is_integers(int v) const {
        return at(v).storage == Storage::given && plan_.given[static_cast<std::size_t>(at(v).index)].integers;
    }

    int number_value() {
        const int v = any_value();
        require(!is_integers(v), "codes stand where numbers should");
        return v;
    }
    int code_value() {
        const int v = any_value();
        require(is_integers(v) && at(v).columns == 1, "numbers stand where codes should");
        return v;
    }
    // What a phase may write.
    int written_value() {
        const int v = number_value();
        require(at(v).storage != Storage::scalar && at(v).storage != Storage::row_count, "a result is read only");
        return v;
    }

    Given given() {
        Given g;
        g.role = in_.choice<Role>("role");
        g.integers = in_.flag("type");
        g.symbolic = in_.flag("size");
        g.rows = in_.within(1, kLargest, "size");
        g.columns = in_.within(1, kLargest, "size");
        require(g.rows <= kLargest / g.columns, "an array is too large");
        const bool one_a_row = g.symbolic && g.rows == 1;
        switch (g.role) {
            case Role::features: case Role::targets: require(one_a_row && !g.integers, "features and targets"); break;
            case Role::weights: require(one_a_row && !g.integers && g.columns == 1, "weights"); break;
            case Role::codes: case Role::rows: require(one_a_row && g.integers && g.columns == 1, "codes"); break;
            case Role::key: require(!g.symbolic && g.integers && g.rows == 2 && g.columns == 1, "the key"); break;
            default: break;
        }
        for (const Given& other : plan_.given) require(g.role == Role::other || other.role != g.role, "two arrays of one role");
        return g;
    }

    Value value() {
        Value v;
        v.storage = in_.choice<Storage>("storage");
        v.index = in_.within(0, 1 << 20, "index");
        v.start = in_.within(0, kLargest, "start");
        v.symbolic = in_.flag("size");
        v.rows = in_.within(1, kLargest, "size");
        v.columns = in_.within(1, kLargest, "size");
        require(v.rows <= kLargest / v.columns, "a value is too large");
        const auto below = [&](std::size_t count) { return static_cast<std::size_t>(v.index) < count; };
        if (v.storage == Storage::vector)
            require(below(plan_.vectors.size()) && !v.symbolic && v.start + v.rows * v.columns <= plan_.vectors[static_cast<std::size_t>(v.index)], "a slice of a vector");
        if (v.storage == Storage::given) {
            require(below(plan_.given.size()), "an array");
            const Given& g = plan_.given[static_cast<std::size_t>(v.index)];
            require(g.symbolic == v.symbolic && g.rows * g.columns == v.rows * v.columns && (!g.integers || g.rows == v.rows), "the shape of an array");
        }
        if (v.storage == Storage::scalar) require(v.index < plan_.scalars, "a scalar");
        if (v.storage == Storage::scalar || v.storage == Storage::row_count) require(!v.symbolic && v.rows == 1 && v.columns == 1, "a scalar");
        return v;
    }

    Packed packed() {
        Packed p;
        p.value = number_value();
        const Value& v = at(p.value);
        require(!v.symbolic && v.storage != Storage::slot, "a packed matrix");
        p.kept = v.storage == Storage::vector;
        return p;
    }

    void phase() {
        Phase p;
        p.level = static_cast<int>(in_.within(plan_.phases.empty() ? 0 : plan_.phases.back().level, 1 << 20, "level"));
        p.symbolic = in_.flag("rows");
        p.rows = in_.within(1, kLargest, "rows");
        require(!p.symbolic || p.rows == 1, "the rows of a phase");
        for (Index i = 0, n = size("number of slots"); i < n; ++i) p.slots.push_back(in_.within(1, kLargest, "slot"));
        for (Index i = 0, n = size("number of operations"); i < n; ++i) p.operations.push_back(operation(p));
        join_products(p);
        plan_.phases.push_back(std::move(p));
    }

    // Find the products that only one formula reads, right behind them.
    void join_products(Phase& p) const {
        for (std::size_t i = 0; i + 1 < p.operations.size(); ++i) {
            Operation &product = p.operations[i], &formula = p.operations[i + 1];
            if (product.kind != Kind::matmul || !product.transpose_a || product.transpose_b || product.bias >= 0) continue;
            if (formula.kind != Kind::map || at(product.result).storage != Storage::slot) continue;
            bool full = true;
            int readers = 0;
            for (std::size_t o = 0; o < formula.operands.size(); ++o)
                if (formula.operands[o] == product.result) {
                    full = full && formula.covers[o] == Cover::full;
                    ++readers;
                }
            for (std::size_t j = i + 2; j < p.operations.size(); ++j)
                for (const int v : p.operations[j].operands) full = full && v != product.result;
            for (const int v : formula.results) full = full && v != product.result;
            if (!full || readers != 1) continue;
            product.may_be_outer = true;
            formula.product = static_cast<int>(i);
            formula.product_result = product.result;
        }
    }

    // Rows of a value for each row of the phase; the value then advances with the phase.
    Index factor(const Phase& p, const Value& v) const {
        if (p.symbolic) {
            require(v.symbolic, "a value does not follow the rows of its phase");
            return v.rows;
        }
        require(!v.symbolic && v.rows == p.rows, "a value does not follow the rows of its phase");
        return 1;
    }
    void fits_slot(const Phase& p, int v) const {
        if (at(v).storage != Storage::slot) return;
        require(static_cast<std::size_t>(at(v).index) < p.slots.size() && factor(p, at(v)) * at(v).columns <= p.slots[static_cast<std::size_t>(at(v).index)], "a slot");
    }
    // A value that is read as a whole must have been kept as a whole.
    void is_whole(int v) const { require(at(v).storage != Storage::slot, "a value is not kept whole"); }
    void follows(const Phase& p, int v, Index rows, Index columns) const {
        require(factor(p, at(v)) == rows && at(v).columns == columns, "shapes");
        fits_slot(p, v);
    }

    Operation operation(Phase& p) {
        Operation op;
        op.kind = in_.choice<Kind>("operation");
        op.number = plan_.operations++;
        switch (op.kind) {
            case Kind::matmul: matmul(p, op); break;
            case Kind::map: map(p, op); break;
            case Kind::sum_rows: {
                op.result = written_value();
                op.operands = {number_value()};
                const Value &out = at(op.result), &a = at(op.operands[0]);
                is_whole(op.operands[0]);
                is_whole(op.result);
                single(p);
                require(!out.symbolic && out.rows == 1 && out.columns == a.columns, "sum_rows");
                break;
            }
            case Kind::sum_columns: case Kind::max_columns: {
                op.result = written_value();
                op.operands = {number_value()};
                const Index rows = factor(p, at(op.result));
                follows(p, op.result, rows, 1);
                follows(p, op.operands[0], rows, at(op.operands[0]).columns);
                break;
            }
            case Kind::pick: {
                op.result = written_value();
                op.operands = {number_value(), code_value()};
                const Index rows = factor(p, at(op.result));
                follows(p, op.result, rows, 1);
                follows(p, op.operands[0], rows, at(op.operands[0]).columns);
                follows(p, op.operands[1], rows, 1);
                break;
            }
            case Kind::one_hot: {
                op.result = written_value();
                op.operands = {code_value()};
                const Index rows = factor(p, at(op.result));
                follows(p, op.result, rows, at(op.result).columns);
                follows(p, op.operands[0], rows, 1);
                break;
            }
            case Kind::gather_rows: {
                op.result = written_value();
                op.operands = {number_value(), code_value()};
                is_whole(op.operands[0]);
                const Index rows = factor(p, at(op.result));
                follows(p, op.result, rows, at(op.operands[0]).columns);
                follows(p, op.operands[1], rows, 1);
                require(!at(op.operands[0]).symbolic, "gather_rows");
                break;
            }
            case Kind::scatter_add_rows: {
                op.result = written_value();
                op.operands = {number_value(), code_value()};
                single(p);
                is_whole(op.result);
                is_whole(op.operands[0]);
                const Value &out = at(op.result), &a = at(op.operands[0]), &codes = at(op.operands[1]);
                require(!out.symbolic && out.columns == a.columns && a.symbolic == codes.symbolic && a.rows == codes.rows, "scatter_add_rows");
                break;
            }
            case Kind::grouped_matmul: {
                op.result = written_value();
                op.operands = {number_value(), number_value()};
                op.transpose_b = in_.flag("transpose");
                op.groups = in_.within(1, kLargest, "groups");
                is_whole(op.operands[1]);
                const Value &out = at(op.result), &a = at(op.operands[0]), &b = at(op.operands[1]);
                const Index rows = factor(p, out);
                follows(p, op.result, rows, out.columns);
                follows(p, op.operands[0], rows, a.columns);
                require(!b.symbolic && a.columns % op.groups == 0 && out.columns % op.groups == 0 &&
                            b.rows * b.columns == a.columns / op.groups * out.columns, "grouped_matmul");
                break;
            }
            case Kind::concatenate: {
                op.result = written_value();
                const Index rows = factor(p, at(op.result));
                Index columns = 0;
                for (Index i = 0, n = size("number of matrices"); i < n; ++i) {
                    op.operands.push_back(number_value());
                    follows(p, op.operands.back(), rows, at(op.operands.back()).columns);
                    columns += at(op.operands.back()).columns;
                }
                follows(p, op.result, rows, columns);
                break;
            }
            case Kind::slice_columns: {
                op.result = written_value();
                op.operands = {number_value()};
                op.start = in_.within(0, kLargest, "column");
                const Index rows = factor(p, at(op.result));
                follows(p, op.result, rows, at(op.result).columns);
                follows(p, op.operands[0], rows, at(op.operands[0]).columns);
                require(op.start + at(op.result).columns <= at(op.operands[0]).columns, "slice_columns");
                break;
            }
            case Kind::uniform: {
                op.result = written_value();
                op.operands = {code_value(), any_value()};
                op.purpose_layer = in_.within(0, 0xffffffff, "purpose");
                const Index rows = factor(p, at(op.result));
                follows(p, op.result, rows, at(op.result).columns);
                follows(p, op.operands[0], rows, 1);
                const Value& key = at(op.operands[1]);
                require(key.storage == Storage::given && plan_.given[static_cast<std::size_t>(key.index)].integers && !key.symbolic && key.rows == 2, "the key");
                break;
            }
            case Kind::copy: {
                op.result = written_value();
                op.operands = {number_value()};
                const Value& out = at(op.result);
                const Index rows = factor(p, out);
                follows(p, op.result, rows, out.columns);
                follows(p, op.operands[0], rows, out.columns);
                break;
            }
            case Kind::pack: {
                op.packed = static_cast<int>(in_.within(0, static_cast<Index>(plan_.packed.size()) - 1, "packed matrix"));
                const Value& v = at(plan_.packed[static_cast<std::size_t>(op.packed)].value);
                require(!p.symbolic && v.rows == p.rows, "a packed matrix");
                break;
            }
            case Kind::columns: columns(p, op); break;
            case Kind::count: break;
        }
        if (op.kind != Kind::map && op.result >= 0)
            for (const int v : op.operands) require(!overlap(op.result, v), "a result lies over its operand");
        return op;
    }

    // Whether two values share memory.
    bool overlap(int v, int w) const {
        const Value &a = at(v), &b = at(w);
        if (a.storage != b.storage || a.index != b.index || a.storage == Storage::scalar || a.storage == Storage::row_count) return false;
        return a.storage != Storage::vector || (a.start < b.start + b.rows * b.columns && b.start < a.start + a.rows * a.columns);
    }

    void single(const Phase& p) const { require(!p.symbolic && p.rows == 1, "a whole result needs a phase of one row"); }

    void matmul(const Phase& p, Operation& op) {
        op.result = written_value();
        op.operands = {number_value(), number_value()};
        op.transpose_a = in_.flag("transpose");
        op.transpose_b = in_.flag("transpose");
        const Index bias = in_.within(-1, static_cast<Index>(plan_.values.size()) - 1, "value");
        const Index packed = in_.within(-1, static_cast<Index>(plan_.packed.size()) - 1, "packed matrix");
        op.bias = static_cast<int>(bias);
        op.packed = static_cast<int>(packed);
        const Value &out = at(op.result), &a = at(op.operands[0]), &b = at(op.operands[1]);
        const Index rows = factor(p, out);
        follows(p, op.result, rows, out.columns);
        is_whole(op.operands[1]);
        bool inner_symbolic = false;
        Index inner = 0;
        if (op.transpose_a) {
            is_whole(op.operands[0]);
            require(!p.symbolic && a.columns == p.rows, "matmul");
            inner_symbolic = a.symbolic;
            inner = a.rows;
        } else {
            follows(p, op.operands[0], rows, a.columns);
            inner = a.columns;
        }
        if (op.transpose_b) {
            require(!b.symbolic && b.rows == out.columns && b.columns == inner && !inner_symbolic, "matmul");
            require(op.packed >= 0 && plan_.packed[static_cast<std::size_t>(op.packed)].value == op.operands[1], "a packed matrix");
        } else {
            require(b.columns == out.columns && b.rows == inner && b.symbolic == inner_symbolic, "matmul");
        }
        if (op.bias >= 0) {
            const Value& c = at(op.bias);
            require(!is_integers(op.bias) && !c.symbolic && c.rows == 1 && c.columns == out.columns, "a bias");
            is_whole(op.bias);
        }
    }

    static bool is_sum(const Instruction& what) { return what.primitive == Primitive::sum || what.primitive == Primitive::sum_product; }
    static Index first_result(std::size_t operands, const Formula& f) { return static_cast<Index>(operands + f.constants.size()) + f.temporaries; }

    Formula formula(Index operands) {
        Formula f;
        for (Index i = 0, n = in_.within(0, 120, "number of constants"); i < n; ++i)
            f.constants.push_back(constants_[in_.within(0, n_constants_ - 1, "constant")]);
        f.temporaries = static_cast<int>(in_.within(0, 120, "number of registers"));
        f.results = in_.within(1, 60, "number of results");
        const Index fixed = operands + static_cast<Index>(f.constants.size());
        const Index registers = fixed + f.temporaries + f.results;
        require(registers <= kMostRegisters, "too many registers");
        for (Index i = 0, n = size("number of instructions"); i < n; ++i) {
            Instruction what;
            what.primitive = in_.choice<Primitive>("primitive");
            what.result = static_cast<std::int16_t>(in_.within(fixed, registers - 1, "register"));
            what.a = static_cast<std::int16_t>(in_.within(0, registers - 1, "register"));
            what.b = static_cast<std::int16_t>(in_.within(0, registers - 1, "register"));
            what.c = static_cast<std::int16_t>(in_.within(0, registers - 1, "register"));
            f.instructions.push_back(what);
        }
        return f;
    }

    // Inputs, then parts, each of which makes registers, then the results that are kept.
    void columns(const Phase& p, Operation& op) {
        require(p.symbolic, "columns follow the rows of a batch");
        const auto a_register = [&](bool codes) {
            const int r = static_cast<int>(in_.within(0, static_cast<Index>(op.widths.size()) - 1, "register"));
            const bool is_input = static_cast<std::size_t>(r) < op.operands.size();
            require(codes == (is_input && is_integers(op.operands[static_cast<std::size_t>(r)])), "codes and numbers");
            return r;
        };
        const auto made = [&](int columns) {
            require(op.widths.size() < kMostColumnRegisters, "too many registers");
            op.widths.push_back(columns);
            return static_cast<int>(op.widths.size()) - 1;
        };
        for (Index i = 0, n = in_.within(1, 60, "number of operands"); i < n; ++i) {
            const int v = any_value();
            const Value& x = at(v);
            const bool scalar = x.storage == Storage::scalar || x.storage == Storage::row_count;
            if (!scalar) follows(p, v, 1, is_integers(v) ? 1 : static_cast<int>(std::min<Index>(x.columns, kMostColumns)));
            op.operands.push_back(v);
            made(scalar || is_integers(v) ? 0 : static_cast<int>(x.columns));
        }
        int temporaries = 0;
        for (Index i = 0, n = in_.within(1, 60, "number of parts"); i < n; ++i) {
            ColumnOperation part;
            part.step = static_cast<ColumnStep>(in_.within(0, static_cast<Index>(ColumnStep::one_hot), "operation"));
            if (part.step == ColumnStep::map) {
                part.columns = static_cast<int>(in_.within(1, kMostColumns, "columns"));
                for (Index o = 0, m = in_.within(0, 60, "number of operands"); o < m; ++o) {
                    part.operands.push_back(a_register(false));
                    const int width = op.widths[static_cast<std::size_t>(part.operands.back())];
                    require(width <= 1 || width == part.columns, "columns");
                }
                part.formula = formula(static_cast<Index>(part.operands.size()));
                for (const Instruction& what : part.formula.instructions) require(!is_sum(what), "a sum within columns");
                for (Index r = 0; r < part.formula.results; ++r) {
                    const int result = made(part.columns);
                    if (r == 0) part.result = result;
                }
                temporaries = std::max(temporaries, part.formula.temporaries * part.columns);
            } else {
                if (part.step == ColumnStep::one_hot) {
                    part.columns = static_cast<int>(in_.within(1, kMostColumns, "columns"));
                } else {
                    part.operand = a_register(false);
                    part.columns = op.widths[static_cast<std::size_t>(part.operand)];
                    require(part.columns >= 1, "columns");
                }
                if (part.step == ColumnStep::one_hot || part.step == ColumnStep::pick) part.codes = a_register(true);
                part.result = made(part.step == ColumnStep::one_hot ? part.columns : 1);
            }
            op.parts.push_back(std::move(part));
        }
        for (Index i = 0, n = in_.within(1, 60, "number of results"); i < n; ++i) {
            const int r = a_register(false);
            const int width = op.widths[static_cast<std::size_t>(r)];
            require(width >= 1 && static_cast<std::size_t>(r) >= op.operands.size(), "a result");
            op.result_registers.push_back(r);
            op.results.push_back(written_value());
            follows(p, op.results.back(), 1, width);
            for (const int v : op.operands) require(!overlap(op.results.back(), v), "a result lies over its operand");
        }
        op.workspace = temporaries;
        for (const int width : op.widths) op.workspace += std::max(width, 1);
    }

    void map(Phase& p, Operation& op) {
        const Index rows = p.symbolic ? in_.within(1, kLargest, "rows") : in_.within(1, 1, "rows");
        const Index columns = in_.within(1, kLargest, "columns");
        require(rows <= kLargest / columns, "a formula is too large");
        op.rows_each = rows;
        op.columns = columns;
        for (Index i = 0, n = in_.within(0, 60, "number of operands"); i < n; ++i) {
            const int v = number_value();
            const Cover cover = static_cast<Cover>(in_.within(0, 3, "cover"));
            const Value& x = at(v);
            require(cover == Cover::scalar || (x.storage != Storage::scalar && x.storage != Storage::row_count), "a scalar");
            switch (cover) {
                case Cover::full: follows(p, v, rows, columns); break;
                case Cover::column: follows(p, v, rows, 1); break;
                case Cover::row: require(!x.symbolic && x.rows == 1 && x.columns == columns, "a row"); is_whole(v); break;
                case Cover::scalar: require(!x.symbolic && x.rows == 1 && x.columns == 1, "a scalar"); is_whole(v); break;
                case Cover::outer: case Cover::copies: break;  // never written in a plan
            }
            op.operands.push_back(v);
            op.covers.push_back(cover);
            op.exact = op.exact || x.storage == Storage::vector;
            op.reads_given = op.reads_given || x.storage == Storage::given;
        }
        op.formula = formula(static_cast<Index>(op.operands.size()));
        for (const Instruction& what : op.formula.instructions)
            if (is_sum(what)) require(what.result >= first_result(op.operands.size(), op.formula), "a sum is no result");
        for (Index i = 0; i < op.formula.results; ++i) {
            const bool summed = in_.flag("result");
            const int v = written_value();
            const Value& x = at(v);
            if (summed) {
                require(!x.symbolic && x.rows == 1 && x.columns == 1 && x.storage == Storage::full, "a sum");
                p.has_sums = true;
            } else {
                follows(p, v, rows, columns);
                op.exact = op.exact || x.storage == Storage::vector || x.storage == Storage::given;
            }
            op.results.push_back(summed ? -1 : v);
            op.sums.push_back(summed ? v : -1);
        }
    }

    Reader in_;
    const double* constants_;
    Index n_constants_;
    Plan plan_;
};

}  // namespace

Plan Plan::decode(const Index* code, Index length, const double* constants, Index n_constants) {
    return Decoder(code, length, constants, n_constants).decode();
}

}  // namespace layerwise
