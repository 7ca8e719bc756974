// Runs of a plan: batch after batch, wave after wave.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "execute.hpp"

namespace layerwise {

namespace {

constexpr Index kFewRows = 8;

}  // namespace

template <class T> const Index* Executor<T>::codes(int v, const Rows& rows) const {
    const Value& value = plan_.values[static_cast<std::size_t>(v)];
    return integers_[static_cast<std::size_t>(value.index)] + rows.first * factor(value);
}

template <class T> Totals Executor<T>::run(const Epoch& epoch, double* sums) {
    const auto started = std::chrono::steady_clock::now();
    Team team(epoch.threads);
    const bool sparse = epoch.source.sparse_start != nullptr;
    if (sparse) check_sparse();
    if (sparse != sparse_) reserved_rows_ = -1;
    sparse_ = sparse;
    bind_vectors(epoch.vectors);
    ahead_.ready = false;
    Index most = 0;
    for (Index b = 0; b < epoch.batches; ++b) most = std::max(most, epoch.bounds[2 * b + 1] - epoch.bounds[2 * b]);
    reserve(most, true, team.size());
    for (std::size_t v = 0; v < base_.size(); ++v)
        if (plan_.values[v].storage == Storage::given) base_[v] = gathered_[static_cast<std::size_t>(plan_.values[v].index)];
    for (std::size_t g = 0; g < plan_.given.size(); ++g) integers_[g] = gathered_integers_[g];
    gathers_ = true;
    Totals totals;
    for (Index b = 0; b < epoch.batches; ++b) {
        const Index first = epoch.bounds[2 * b], last = epoch.bounds[2 * b + 1];
        const double* const row = epoch.table + (epoch.table_rows > 1 ? b * plan_.scalars : 0);
        for (Index s = 0; s < plan_.scalars; ++s) set_scalar(static_cast<std::size_t>(s), row[s]);
        lay_out(last - first, team.size());
        gather(epoch, b);
        seed_ = epoch.seed;
        step_ = epoch.first_step + static_cast<std::uint64_t>(b);
        gather_ahead(epoch, b);
        execute(team);
        ahead_.ready = ahead_.gathered;
        for (std::size_t o = 0; o < plan_.outputs.size(); ++o)
            sums[o] += (epoch.sums ? 1.0 : static_cast<double>(last - first)) * static_cast<double>(*base_[static_cast<std::size_t>(plan_.outputs[o])]);
        totals.batches = b + 1;
        totals.rows += last - first;
        if (!plan_.outputs.empty() && !std::isfinite(*base_[static_cast<std::size_t>(plan_.outputs[0])])) {
            totals.finite = false;
            break;
        }
        if ((b % 8 == 7 || cost_ > kWorthSharing || epoch.seconds <= 0) &&
            std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count() > epoch.seconds)
            break;
    }
    return totals;
}

template <class T> void Executor<T>::call(const Once& once) {
    Team team(once.threads);
    if (sparse_) reserved_rows_ = -1;
    sparse_ = false;
    bind_vectors(once.vectors);
    ahead_.ready = ahead_.gathered = false;
    reserve(once.n, reserved_gathers_, team.size());
    gathers_ = false;
    for (std::size_t v = 0; v < base_.size(); ++v)
        if (plan_.values[v].storage == Storage::given)
            base_[v] = static_cast<T*>(const_cast<void*>(once.given[plan_.values[v].index]));
    for (std::size_t g = 0; g < plan_.given.size(); ++g) {
        integers_[g] = plan_.given[g].integers ? static_cast<const Index*>(once.given[g]) : nullptr;
        if (plan_.given[g].integers && code_limit_[g] != kNoLimit) check_codes(g, integers_[g], plan_.given[g].count(once.n));
        if (plan_.given[g].role == Role::key) {
            seed_ = static_cast<std::uint64_t>(integers_[g][0]);
            step_ = static_cast<std::uint64_t>(integers_[g][1]);
        }
    }
    for (Index s = 0; s < plan_.scalars; ++s) set_scalar(static_cast<std::size_t>(s), once.scalars[s]);
    lay_out(once.n, team.size());
    execute(team);
    for (std::size_t o = 0; o < plan_.outputs.size(); ++o) {
        const int v = plan_.outputs[o];
        std::memcpy(once.outputs[o], base_[static_cast<std::size_t>(v)], static_cast<std::size_t>(value(v).count(once.n)) * sizeof(T));
    }
}

// Whether so few rows meet W' that dot products with W as it lies beat packing W'.
template <class T> bool Executor<T>::takes_dots(const Operation& op, const Laid& laid) const {
    const bool sparse = sparse_ && value(op.operands[0]).storage == Storage::given;
    return laid.rows * factor(value(op.result)) < kFewRows && !op.transpose_a && !sparse;
}

template <class T> void Executor<T>::pack_whole(int packed) {
    const int v = plan_.packed[static_cast<std::size_t>(packed)].value;
    kernels_.pack(base_[static_cast<std::size_t>(v)], value(v).rows, value(v).columns, 0, value(v).rows, packed_[static_cast<std::size_t>(packed)]);
    fresh_[static_cast<std::size_t>(packed)] = 1;
}

template <class T> void Executor<T>::execute(Team& team) {
    for (const Wave& wave : waves_) {
        for (const int packed : wave.packs)
            if (!plan_.packed[static_cast<std::size_t>(packed)].kept || !fresh_[static_cast<std::size_t>(packed)]) pack_whole(packed);
        const auto part = [&](int thread, Index i) {
            const Part& which = wave.parts[static_cast<std::size_t>(i)];
            const Laid& laid = laid_[which.phase];
            const Index first = which.panel * laid.panel_rows;
            execute_panel({&plan_.phases[which.phase], &laid, first, std::min(laid.panel_rows, laid.rows - first), thread, which.panel});
        };
        const Index parts = static_cast<Index>(wave.parts.size());
        if (wave.cost > kWorthSharing) {
            team.share(parts, part);
        } else {
            for (Index i = 0; i < parts; ++i) part(0, i);
        }
        for (std::size_t p = wave.first; p < wave.last; ++p)
            if (plan_.phases[p].has_sums) add_up_sums(p);
    }
}

// Sums of the panels, added in their order.
template <class T> void Executor<T>::add_up_sums(std::size_t phase) {
    const T* at = partial_sums_ + laid_[phase].first_sum[0];
    for (const Operation& op : plan_.phases[phase].operations)
        for (const int s : op.sums) {
            if (s < 0) continue;
            T total = 0;
            for (Index panel = 0; panel < laid_[phase].panels; ++panel) total += *at++;
            *base_[static_cast<std::size_t>(s)] = total;
        }
}

template class Executor<float>;
template class Executor<double>;

}  // namespace layerwise
