// A call on rows as they came: converted, and looked at, on their way into it.
#include <cmath>
#include <limits>

#include "execute.hpp"
#include "export.hpp"

using namespace layerwise;

LW_EXPORT int layerwise_call(void* loaded, const Once* once, char* message);

namespace {

// Numbers of float32 (4 bytes each) or float64 (8), one after the other.
struct Staged {
    const void* from;
    void* to;
    Index count;
    std::int32_t from_bytes, to_bytes;
};

// False if a number is NaN or infinite, or too large for what it becomes; all are written whatever they are.
template <class From, class To> bool converted(const Staged& staged) {
    const auto* const from = static_cast<const From*>(staged.from);
    auto* const to = static_cast<To*>(staged.to);
    constexpr auto largest = std::numeric_limits<To>::max();
    int outside = 0;
    for (Index i = 0; i < staged.count; ++i) {
        const To x = static_cast<To>(from[i]);
        outside |= !(std::abs(x) <= largest);
        to[i] = x;
    }
    return outside == 0;
}

bool converted(const Staged& staged) {
    if (staged.from_bytes == 4) return staged.to_bytes == 4 ? converted<float, float>(staged) : converted<float, double>(staged);
    return staged.to_bytes == 4 ? converted<double, float>(staged) : converted<double, double>(staged);
}

}  // namespace

// 0; 1 and a message; or 2 if a number is not finite or becomes so: then nothing was run.
LW_EXPORT int layerwise_call_staged(void* loaded, const Once* once, const Staged* staged, char* message) {
    return converted(*staged) ? layerwise_call(loaded, once, message) : 2;
}
