// Checks vector_math.hpp and philox.hpp on the code path that this file is compiled for. `math_test` prints the
// greatest error of every function in ulp and returns 1 if one exceeds its bound; `math_test speed` prints ns per
// element, on 1024 of them.
#include "core/vector_math.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/philox.hpp"

using namespace layerwise::LW_ISA;

namespace {

int failures = 0;

template <class T> using Limits = std::numeric_limits<T>;
template <class T> using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
// Wide enough to count as exact beside T.
template <class T> using Exact = std::conditional_t<sizeof(T) == 4, double, long double>;

template <class T> T from_bits(Bits<T> bits) {
    T x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

template <class T> const char* type_name() { return sizeof(T) == 4 ? "float" : "double"; }

// The distance from the exact value in units of its last place; infinite where NaN, infinity or the sign of 0 is wrong.
template <class T> double error_in_ulp(T got, Exact<T> exact) {
    constexpr double wrong = Limits<double>::infinity();
    if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) && std::isnan(got) ? 0 : wrong;
    const T nearest = static_cast<T>(exact);
    if (std::signbit(got) != std::signbit(nearest)) return wrong;
    if (got == nearest && (std::isinf(got) || got == 0)) return 0;
    if (std::isinf(exact)) return wrong;
    // Infinity as a rounded result stands for the first power of two that is no number.
    const Exact<T> beyond = std::ldexp(Exact<T>(1), Limits<T>::max_exponent);
    const Exact<T> value = std::isinf(got) ? std::copysign(beyond, exact) : Exact<T>(got);
    const Exact<T> target = std::isinf(nearest) ? std::copysign(beyond, exact) : exact;
    const int own_exponent = target == 0 ? Limits<T>::min_exponent : std::ilogb(target) + 1;
    const int exponent = std::max(own_exponent, Limits<T>::min_exponent);
    return static_cast<double>(std::ldexp(std::abs(value - target), Limits<T>::digits - exponent));
}

template <class T> struct Inputs {
    T low, high;               // where the function is neither trivial nor overflows
    std::vector<T> places;     // tried with all their neighbours, and with both signs
    std::vector<T> hard = {};  // tried as they are
    T greatest = Limits<T>::infinity();  // no result exceeds it
};

// Bit patterns of the whole range, with NaN, infinities, denormal and negative numbers among them; uniform numbers in
// [low, high]; numbers of all sizes near 0; neighbours of the given places; a whole number of vectors.
template <class T> std::vector<T> sample(const Inputs<T>& inputs) {
    const T infinity = Limits<T>::infinity(), greatest = Limits<T>::max();
    std::vector<T> xs = {0, -T(0), infinity, -infinity, Limits<T>::quiet_NaN(), greatest, -greatest};
    std::mt19937_64 random(20260101);
    const auto place = [&](T center, int count) {
        Bits<T> bits;
        std::memcpy(&bits, &center, sizeof bits);
        for (int i = -count; i <= count; ++i) xs.push_back(from_bits<T>(bits + static_cast<Bits<T>>(i)));
    };
    if constexpr (sizeof(T) == 4) {
        for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 1021)
            xs.push_back(from_bits<T>(static_cast<std::uint32_t>(bits)));
    } else {
        for (int i = 0; i < 1500000; ++i) xs.push_back(from_bits<T>(random()));
    }
    std::uniform_real_distribution<T> uniform(inputs.low, inputs.high), exponent(-40, 3);
    for (int i = 0; i < 1500000; ++i) xs.push_back(uniform(random));
    for (int i = 0; i < 1000000; ++i) xs.push_back(std::exp2(exponent(random)) * (i % 2 ? 1 : -1));
    for (const T small : {Limits<T>::denorm_min() * 3000, Limits<T>::min()}) place(small, 2000), place(-small, 2000);
    for (const T center : inputs.places) place(center, 20000), place(-center, 20000);
    xs.insert(xs.end(), inputs.hard.begin(), inputs.hard.end());
    while (xs.size() % Simd<T>::width) xs.push_back(1);
    return xs;
}

template <class T, class Function, class Reference>
void check(const char* name, double bound, Function function, Reference reference, const Inputs<T>& inputs) {
    double worst = 0;
    T worst_x = 0;
    const std::vector<T> xs = sample(inputs);
    T results[Simd<T>::width];
    for (std::size_t i = 0; i < xs.size(); i += Simd<T>::width) {
        Simd<T>::store(results, function(Simd<T>::load(&xs[i])));
        for (int lane = 0; lane < Simd<T>::width; ++lane) {
            const T x = xs[i + lane];
            const bool beyond = std::abs(results[lane]) > inputs.greatest;
            const double distance = error_in_ulp<T>(results[lane], reference(Exact<T>(x)));
            const double error = beyond ? Limits<double>::infinity() : distance;
            if (error > worst) worst = error, worst_x = x;
        }
    }
    const bool good = worst <= bound;
    failures += !good;
    std::printf("%-6s %-6s %6.3f ulp at %-22.14g (bound %.2f, %zu numbers)%s\n", name, type_name<T>(), worst,
                static_cast<double>(worst_x), bound, xs.size(), good ? "" : "  FAILED");
}

template <class T> void expect(const char* what, T x, T got, T expected) {
    const bool equal = got == expected && std::signbit(got) == std::signbit(expected);
    const bool same = std::isnan(expected) ? std::isnan(got) : equal;
    failures += !same;
    if (!same)
        std::printf("%s %s(%g): expected %.17g, got %.17g  FAILED\n", type_name<T>(), what, static_cast<double>(x),
                    static_cast<double>(expected), static_cast<double>(got));
}

#define LW_FUNCTION(name) [](typename Simd<T>::V x) { return VectorMath<T>::name(x); }
#define LW_REFERENCE(name) [](Exact<T> x) { return std::name(x); }

// The bounds are those stated in the headers.
template <class T> void check_functions() {
    constexpr bool is_float = sizeof(T) == 4;
    const T log_max = static_cast<T>(std::log(Exact<T>(Limits<T>::max())));
    const T log_least = static_cast<T>(std::log(Exact<T>(Limits<T>::denorm_min())));
    const T half_log2 = static_cast<T>(std::log(Exact<T>(2)) / 2), cos_limit = is_float ? T(1e5) : T(1e9);
    const std::vector<T> ends_of_exp = {log_max, log_least, half_log2, 1};
    check<T>("exp", 1.3, LW_FUNCTION(exp), LW_REFERENCE(exp), {log_least - 1, log_max + 1, ends_of_exp});
    check<T>("expm1", 2.5, LW_FUNCTION(expm1), LW_REFERENCE(expm1), {-40, 5, {log_max, half_log2, 3 * half_log2, 1}});
    check<T>("log", 1.4, LW_FUNCTION(log), LW_REFERENCE(log), {0, 3, {T(0.75), 1, T(1.5), 2}});
    check<T>("log1p", 1.4, LW_FUNCTION(log1p), LW_REFERENCE(log1p), {-1, 3, {T(0.25), T(0.5), 1, 2}});
    check<T>("tanh", 2.7, LW_FUNCTION(tanh), LW_REFERENCE(tanh), {-5, 5, {half_log2, T(0.5), 9, 19, 20}, {}, 1});
    check<T>("erf", 2.3, LW_FUNCTION(erf), LW_REFERENCE(erf), {-6, 6, {T(0.5), 1, 4, T(5.95)}, {}, 1});
    check<T>("sqrt", 0.5, LW_FUNCTION(sqrt), LW_REFERENCE(sqrt), {0, 4, {}});
    check<T>("abs", 0, LW_FUNCTION(abs), LW_REFERENCE(fabs), {-1, 1, {}});

    // The numbers nearest to zeros of cos, which lose most digits.
    Inputs<T> near_zeros{-cos_limit, cos_limit, {cos_limit, static_cast<T>(std::acos(Exact<T>(-1)) / 4)}, {}};
    const Exact<T> pi = std::acos(Exact<T>(-1));
    for (Exact<T> m = 0.5; m * pi < cos_limit; m += is_float ? 1 : 401)
        near_zeros.hard.push_back(static_cast<T>(m * pi));
    check<T>("cos", 1.7, LW_FUNCTION(cos), LW_REFERENCE(cos), near_zeros);
}

template <class T> struct Value {
    T x, expected;
};

template <class T, class Function>
void check_values(const char* name, Function function, const std::vector<Value<T>>& values) {
    for (const auto& value : values) expect<T>(name, value.x, function(Simd<T>::broadcast(value.x))[0], value.expected);
}

// What must be exact, whatever the bound.
template <class T> void check_exact_values() {
    const T inf = Limits<T>::infinity(), nan = Limits<T>::quiet_NaN(), minus_zero = -T(0);
    const std::vector<Value<T>> of_log = {{1, 0}, {0, -inf}, {minus_zero, -inf}, {-1, nan}, {-inf, nan}, {inf, inf}};
    const std::vector<Value<T>> of_log1p = {{minus_zero, minus_zero}, {-1, -inf}, {-2, nan}, {-inf, nan}, {inf, inf}};
    check_values<T>("exp", LW_FUNCTION(exp), {{0, 1}, {minus_zero, 1}, {-inf, 0}, {inf, inf}});
    check_values<T>("expm1", LW_FUNCTION(expm1), {{0, 0}, {minus_zero, minus_zero}, {-inf, -1}, {inf, inf}});
    check_values<T>("log", LW_FUNCTION(log), of_log);
    check_values<T>("log1p", LW_FUNCTION(log1p), of_log1p);
    check_values<T>("tanh", LW_FUNCTION(tanh), {{0, 0}, {minus_zero, minus_zero}, {inf, 1}, {-inf, -1}});
    check_values<T>("erf", LW_FUNCTION(erf), {{0, 0}, {minus_zero, minus_zero}, {inf, 1}, {-inf, -1}});
    check_values<T>("cos", LW_FUNCTION(cos), {{0, 1}, {minus_zero, 1}, {inf, nan}, {-inf, nan}});
}

// max, min, less and where on every pair of special and ordinary values, by their definitions.
template <class T> void check_choices() {
    using Math = VectorMath<T>;
    const T nan = Limits<T>::quiet_NaN();
    const T values[] = {nan, -nan, Limits<T>::infinity(), -Limits<T>::infinity(), 0, 1, -1, T(0.5), Limits<T>::max(),
                        Limits<T>::denorm_min(), -Limits<T>::denorm_min(), Limits<T>::min()};
    for (const T x : values)
        for (const T y : values) {
            const auto a = Simd<T>::broadcast(x), b = Simd<T>::broadcast(y), c = Simd<T>::broadcast(T(7));
            const bool unordered = std::isnan(x) || std::isnan(y);
            expect<T>("max", x, Math::max(a, b)[0], unordered ? nan : std::max(x, y));
            expect<T>("min", x, Math::min(a, b)[0], unordered ? nan : std::min(x, y));
            expect<T>("less", x, Math::less(a, b)[0], x < y ? 1 : 0);
            expect<T>("where", x, Math::where(a, b, c)[0], x != 0 ? y : 7);
        }
    const auto zero = Simd<T>::broadcast(T(0)), negative_zero = Simd<T>::broadcast(-T(0));
    expect<T>("where", -T(0), Math::where(negative_zero, zero, Simd<T>::broadcast(T(7)))[0], 7);
    for (const T got : {Math::max(zero, negative_zero)[0], Math::min(zero, negative_zero)[0]})
        expect<T>("max and min", 0, std::abs(got), 0);
}

// Made by layerwise.ops.random.philox_uniform: numbers times 2^24.
struct KnownRow {
    std::uint32_t row, step, purpose_layer;
    std::uint64_t seed;
    std::vector<std::uint32_t> numbers;
};
const KnownRow known_rows[] = {
    {0, 0, 0x01000001, 0, {0xb5746f, 0xa9cd3c, 0x0f06be, 0x8c41a6}},
    {5, 3, 0x01000002, 0x0123456789abcdef,
     {0x6ab6c3, 0x2e6657, 0xac801d, 0x138d87, 0x3cd989, 0xbd34bd, 0xcb3594, 0x3d78ba}},
    {0xffffffff, 0xffffffff, 0x04ffffff, 0xffffffffffffffff,
     {0x58fe98, 0xf60ee6, 0xd6e694, 0x3beb74, 0x645624, 0xdc7a2b}},
};
// The same for d = 1003, as the sum over units u of (u + 1) times the number.
constexpr std::uint64_t known_sum = 0x3c43589ecc1;

template <class T> void check_philox() {
    for (const KnownRow& known : known_rows)
        for (std::size_t d = 1; d <= known.numbers.size(); ++d) {
            std::vector<T> out(d + 1, -1);
            const auto count = static_cast<std::int64_t>(d);
            uniform_row(out.data(), count, known.row, known.step, known.purpose_layer, known.seed);
            for (std::size_t u = 0; u < d; ++u) expect<T>("uniform", T(u), out[u] * T(1 << 24), T(known.numbers[u]));
            expect<T>("uniform beyond the end", T(d), out[d], -1);
        }
    std::vector<T> longest(1004, -1), shorter(1004, -1);
    uniform_row(longest.data(), 1003, 123456, 77, 1u << 24 | 3, 0xfeedface12345678u);
    std::uint64_t sum = 0;
    for (std::uint64_t u = 0; u < 1003; ++u) sum += (u + 1) * static_cast<std::uint64_t>(longest[u] * T(1 << 24));
    expect<double>("uniform, sum", 1003, static_cast<double>(sum), static_cast<double>(known_sum));
    for (std::int64_t d = 0; d < 200; ++d) {
        std::fill(shorter.begin(), shorter.end(), T(-1));
        uniform_row(shorter.data(), d, 123456, 77, 1u << 24 | 3, 0xfeedface12345678u);
        expect<T>("uniform beyond the end", T(d), shorter[d], -1);
        failures += !std::equal(longest.begin(), longest.begin() + d, shorter.begin());
    }
}

template <class T, class Work> void time_per_element(const char* name, Work work) {
    constexpr int count = 1024, repetitions = 300;
    double best = Limits<double>::infinity();
    for (int round = 0; round < 15; ++round) {
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < repetitions; ++i) {
            work(count);
            asm volatile("" ::: "memory");
        }
        const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
        best = std::min(best, taken.count() / (repetitions * count));
    }
    std::printf("%-7s %-6s %.3f ns\n", name, type_name<T>(), best);
}

template <class T, class Function> void time_function(const char* name, Function function, T low, T high) {
    alignas(64) static T in[1024], out[1024];
    for (int i = 0; i < 1024; ++i) in[i] = low + (high - low) * T(i * 389 % 1024) / 1024;
    time_per_element<T>(name, [&](int count) {
        for (int i = 0; i < count; i += Simd<T>::width) Simd<T>::store(out + i, function(Simd<T>::load(in + i)));
    });
}

template <class T> void time_functions() {
    time_function<T>("exp", LW_FUNCTION(exp), -10, 10);
    time_function<T>("expm1", LW_FUNCTION(expm1), -3, 3);
    time_function<T>("log", LW_FUNCTION(log), T(0.01), 100);
    time_function<T>("log1p", LW_FUNCTION(log1p), T(-0.9), 10);
    time_function<T>("tanh", LW_FUNCTION(tanh), -4, 4);
    time_function<T>("erf", LW_FUNCTION(erf), -4, 4);
    time_function<T>("cos", LW_FUNCTION(cos), -100, 100);
    time_function<T>("sqrt", LW_FUNCTION(sqrt), 0, 10);
    alignas(64) static T out[1024];
    time_per_element<T>("uniform", [&](int count) { uniform_row(out, count, 5, 3, 1u << 24 | 2, 11); });
}

template <class T> void check_type() {
    check_functions<T>();
    check_exact_values<T>();
    check_choices<T>();
    check_philox<T>();
}

}  // namespace

int main(int count, char** arguments) {
    if (count > 1 && std::string(arguments[1]) == "speed") {
        time_functions<float>();
        time_functions<double>();
        return 0;
    }
    check_type<float>();
    check_type<double>();
    std::printf("%d failures\n", failures);
    return failures ? 1 : 0;
}
