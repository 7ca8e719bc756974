import marimo

app = marimo.App(app_title="7 Universal approximation", width="medium")


@app.cell(hide_code=True)
def _():
    import marimo as mo
    import numpy as np

    import layerwise as lw
    from layerwise import notes

    return lw, mo, notes, np


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # 7 Universal approximation

    One neuron is a ridge ([chapter 4](../neuron/)) and cannot do XOR ([chapter 6](../capacity/)). How much can one
    hidden layer do? Everything continuous (Hornik 1991, after Cybenko 1989 and others):

    > Let $g$ be continuous, bounded and not constant. For every continuous function $t$ on a closed and bounded set $K$
    > and every $\varepsilon > 0$ there are a number of hidden units $H$ and weights such that
    >
    > $$f(\mathbf{x}) = b^{(2)} + \sum_{i=1}^{H} w^{(2)}_i\, g\Big(b^{(1)}_i + \mathbf{w}^{(1)\top}_i \mathbf{x}\Big)
    >   \qquad \text{has} \qquad \lvert f(\mathbf{x}) - t(\mathbf{x}) \rvert < \varepsilon
    >   \quad \text{for all } \mathbf{x} \in K .$$

    ## Bumps by hand

    With one input the proof can be drawn. Two sigmoids, one rising at $p$ and one at $q > p$, make a **bump**:

    $$\sigma\big(s (x - p)\big) - \sigma\big(s (x - q)\big) \;\approx\;
      \begin{cases} 1 & p < x < q \\ 0 & \text{elsewhere} \end{cases}$$

    Put bumps side by side, each as high as $t$ is in its middle, and add them up in the output unit. **Nothing is
    trained here**: a width, a slope $s$ and the values of $t$ are all. More bumps: smaller error. A steep slope makes
    stairs; a gentle one blends neighbours into each other, which suits smooth functions, until the bumps melt.
    """)
    return


@app.cell(hide_code=True)
def _(mo, np):
    pieces = mo.ui.slider(steps=[1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128], value=12, label="bumps",
                          show_value=True)  # fmt: skip
    slope = mo.ui.slider(steps=[1, 2, 3, 5, 8, 12, 20, 50, 200], value=20, label="slope $s$ times the width of a bump",
                         show_value=True)  # fmt: skip
    LOW, HIGH = -2.0, 2.0
    READY = {
        "a wave": lambda x: np.sin(3 * x) + 0.3 * np.cos(9 * x),
        "a hat": lambda x: np.maximum(0, 1 - np.abs(x)),
        "nearly a step": lambda x: np.tanh(20 * x),
        "a chirp": lambda x: np.sin(3 * x**2),
        "a straight line": lambda x: x / 2,
    }
    ready = mo.ui.dropdown(READY, value="a wave", label="$t(x)$")
    mo.hstack([pieces, slope], justify="start", gap=2)
    return HIGH, LOW, pieces, ready, slope


@app.cell(hide_code=True)
def _(HIGH, LOW, mo, notes, ready):
    own = notes.OwnFunction(ready.value, ("x",), LOW, HIGH)
    typed = own.field()
    mo.hstack([ready, typed], justify="start", gap=2)
    return own, typed


@app.cell(hide_code=True)
def _(own, typed):
    t, _message = own.take(typed)
    _message
    return (t,)


@app.cell
def _(HIGH, LOW, lw, pieces, slope, t):
    steepness = slope.value * pieces.value / (HIGH - LOW)
    stairs, bumps = lw.analysis.bump_network(t, pieces.value, LOW, HIGH, steepness)
    by_hand = lw.analysis.approximation_error(stairs, bumps, t, LOW, HIGH)
    return bumps, by_hand, stairs


@app.cell(hide_code=True)
def _(HIGH, LOW, bumps, by_hand, mo, notes, np, pieces, stairs, t):
    _x = np.linspace(LOW, HIGH, 801)
    _h = stairs.trace(bumps, _x[:, None], np.zeros((len(_x), 1))).h[1] * bumps.W[2][0]
    _sum, _parts = notes.figure(10, 3.8, columns=2, sharey=True)
    _sum.plot(_x, t(_x), color="0.45", linestyle="--", label="$t(x)$")
    _sum.plot(_x, stairs.predict(bumps, _x[:, None]), color="#D55E00", label="$f(x)$, the sum")
    _parts.plot(_x, _h[:, ::2] + _h[:, 1::2], color="#0072B2", linewidth=1)
    _parts.set_title("the bumps, each of two hidden units", fontsize="medium")
    _sum.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    for _ax in (_sum, _parts):
        _ax.set_xlabel("$x$")
        _ax.grid(alpha=0.25)
    mo.vstack([
        notes.show(_sum, "A function and the sum of bumps that approximates it, and the bumps one by one."),
        mo.md(f"1-{2 * pieces.value}-1: $\\max \\lvert f - t \\rvert = {by_hand.largest:.3g}$, root mean square error "
              f"${by_hand.rms:.3g}$."),
    ])  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Learned

    By hand, units stand where we put them. Training moves each to where it helps most, so that fewer will do. At the
    right is what each unit contributes, $w^{(2)}_i h^{(1)}_i(x)$; together with $b^{(2)}$ they add up to $f(x)$. The
    grey margins were not trained on: there the theorem promises nothing. Move the **seed**: the same number of units
    ends up better or worse.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    units = mo.ui.slider(steps=[1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64], value=8, label="hidden units $H$",
                         show_value=True)  # fmt: skip
    epochs = mo.ui.slider(steps=[10, 30, 100, 200, 300], value=200, label="epochs", show_value=True)
    seed = mo.ui.slider(0, 9, value=0, label="seed", show_value=True)
    g = mo.ui.dropdown(["tanh", "sigmoid", "relu", "linear"], value="tanh", label="$g$")
    mo.hstack([units, epochs, seed, g], justify="start", gap=2)
    return epochs, g, seed, units


@app.cell
def _(HIGH, LOW, epochs, g, lw, seed, t, units):
    learned = lw.analysis.learned_fit(
        t, units.value, LOW, HIGH, hidden=g.value, epochs=epochs.value, seed=seed.value
    )  # fmt: skip
    return (learned,)


@app.cell(hide_code=True)
def _(HIGH, LOW, learned, mo, notes, np, t, units):
    _x = np.linspace(LOW - 0.8, HIGH + 0.8, 801)
    _inside = (_x >= LOW) & (_x <= HIGH)
    _theta = learned.parameters
    _trace = learned.network.trace(_theta, _x[:, None], np.zeros((len(_x), 1)))
    _sum, _parts = notes.figure(10, 3.8, columns=2)
    _sum.plot(_x[_inside], t(_x[_inside]), color="0.45", linestyle="--", label="$t(x)$")
    _sum.plot(_x, _trace.f, color="#D55E00", label="$f(x)$")
    _middle = t(_x[_inside])
    _room = 0.6 * max(float(np.ptp(_middle)), 0.1)
    _sum.set_ylim(_middle.min() - _room, _middle.max() + _room)
    _sum.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _parts.plot(_x, _trace.h[1] * _theta.W[2][0], color="#0072B2", linewidth=1, alpha=0.7)
    _parts.set_title(f"the contributions of {units.value} hidden units", fontsize="medium")
    for _ax in (_sum, _parts):
        _ax.axvspan(_x[0], LOW, color="0.92")
        _ax.axvspan(HIGH, _x[-1], color="0.92")
        _ax.set(xlabel="$x$", xlim=(_x[0], _x[-1]))
        _ax.grid(alpha=0.25)
    mo.vstack([
        notes.show(_sum, "A function and the network that learned it, and what each hidden unit contributes."),
        mo.md(f"1-{units.value}-1, {len(learned.model.history)} epochs: $\\max \\lvert f - t \\rvert = "
              f"{learned.error.largest:.3g}$, root mean square error ${learned.error.rms:.3g}$."),
    ])  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ### Error against the number of units

    Both axes are logarithmic, so an error that falls like $1/H$ is a straight line. Stairs do that; blended bumps do
    better on smooth functions; learned units usually best, until training, not the network, is the limit (100 epochs
    each here).
    """)
    return


@app.cell
def _(HIGH, LOW, lw, t):
    COUNTS = [2, 4, 8, 16, 32, 64]
    error = lw.analysis.approximation_error
    errors = {"learned (100 epochs)": [lw.analysis.learned_fit(t, n, LOW, HIGH, epochs=100).error.rms for n in COUNTS]}
    for name, sharp in (("by hand, blended (slope 5)", 5), ("by hand, stairs (slope 200)", 200)):
        made = [lw.analysis.bump_network(t, n // 2, LOW, HIGH, sharp * n / 2 / (HIGH - LOW)) for n in COUNTS]
        errors[name] = [error(*network, t, LOW, HIGH).rms for network in made]
    return COUNTS, errors


@app.cell(hide_code=True)
def _(COUNTS, errors, notes, np):
    _ax = notes.figure(7.5, 4)
    _styles = ("#D55E00", "o"), ("#0072B2", "s"), ("#009E73", "^")
    for (_name, _values), (_colour, _marker) in zip(errors.items(), _styles, strict=True):
        _ax.loglog(COUNTS, np.maximum(_values, 1e-9), color=_colour, marker=_marker, label=_name)
    _start = max(max(_values) for _values in errors.values()) or 1.0
    _ax.loglog(COUNTS, _start * COUNTS[0] / np.array(COUNTS), color="0.6", linestyle=":", label="$1/H$")
    _ax.set(xlabel="hidden units $H$", ylabel="root mean square error", xticks=COUNTS)
    _ax.set_xticks(COUNTS, [str(n) for n in COUNTS])
    _ax.minorticks_off()
    _ax.grid(alpha=0.25)
    _ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    notes.show(_ax, "The error of networks made by hand and learned, against the number of hidden units.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Two inputs

    Over a plane a hidden unit is a ridge, and two sigmoids make a wall without end, not a tower. By hand it is easiest
    to use **two** hidden layers: a unit of the second one fires where a wall along $x_1$ and one along $x_2$ cross,

    $$\sigma\Big(40\,\big(\text{bump}_i(x_1) + \text{bump}_j(x_2) - \tfrac32\big)\Big).$$

    That takes $m^2$ towers for $m$ pieces of each input, and $m^d$ with $d$ inputs: hopeless for 784 pixels. One hidden
    layer is enough, says the theorem; training finds one, with far fewer units.
    """)
    return


@app.cell(hide_code=True)
def _(mo, np):
    ridges = mo.ui.slider(steps=[1, 2, 4, 8, 16, 32, 64], value=16, label="hidden units, learned", show_value=True)
    side = mo.ui.slider(2, 16, value=8, label="pieces $m$ of each input, by hand", show_value=True)
    FLAT = {
        "ripples": lambda x_1, x_2: np.sin(2 * x_1) * np.cos(2 * x_2),
        "a hill": lambda x_1, x_2: np.exp(-(x_1**2) - x_2**2),
        "a saddle": lambda x_1, x_2: x_1 * x_2 / 2,
        "a ring": lambda x_1, x_2: np.exp(-4 * (np.hypot(x_1, x_2) - 1.2) ** 2),
    }
    flat = mo.ui.dropdown(FLAT, value="ripples", label="$t(x_1, x_2)$")
    mo.hstack([ridges, side], justify="start", gap=2)
    return flat, ridges, side


@app.cell(hide_code=True)
def _(HIGH, LOW, flat, mo, notes):
    own_flat = notes.OwnFunction(flat.value, ("x_1", "x_2"), LOW, HIGH)
    typed_flat = own_flat.field()
    mo.hstack([flat, typed_flat], justify="start", gap=2)
    return own_flat, typed_flat


@app.cell(hide_code=True)
def _(own_flat, typed_flat):
    t_flat, _message = own_flat.take(typed_flat)
    _message
    return (t_flat,)


@app.cell
def _(HIGH, LOW, lw, ridges, side, t_flat):
    surface = lw.analysis.learned_fit(t_flat, ridges.value, LOW, HIGH, inputs=2, epochs=60)
    towers, heights = lw.analysis.tower_network(t_flat, side.value, LOW, HIGH)
    tower_error = lw.analysis.approximation_error(towers, heights, t_flat, LOW, HIGH, points=61)
    return heights, surface, tower_error, towers


@app.cell(hide_code=True)
def _(HIGH, LOW, heights, notes, np, ridges, side, surface, t_flat, tower_error, towers):
    _x_1, _x_2 = np.meshgrid(*[np.linspace(LOW, HIGH, 61)] * 2)
    _rows = np.column_stack([_x_1.ravel(), _x_2.ravel()])
    _true = t_flat(_x_1, _x_2)
    _pictures = {
        "$t(x_1, x_2)$": _true,
        f"learned: 2-{ridges.value}-1\nrms error {surface.error.rms:.3g}": surface.network.predict(
            surface.parameters, _rows
        ).reshape(_true.shape),
        f"by hand: 2-{4 * side.value}-{side.value**2}-1\nrms error {tower_error.rms:.3g}": towers.predict(
            heights, _rows
        ).reshape(_true.shape),
    }
    _axes = notes.figure(10, 3.8, columns=3, sharey=True)
    for _ax, (_name, _values) in zip(_axes, _pictures.items(), strict=True):
        _drawn = _ax.imshow(
            _values, origin="lower", extent=(LOW, HIGH, LOW, HIGH), vmin=_true.min(), vmax=_true.max(), cmap="viridis"
        )
        _ax.set_title(_name, fontsize="medium")
        _ax.set_xlabel("$x_1$")
    _axes[0].set_ylabel("$x_2$")
    _axes[0].figure.colorbar(_drawn, ax=_axes, shrink=0.7)
    notes.show(_axes[0], "A function of two inputs, what a network learned of it, and towers by hand.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## What the theorem does not say

    - **How many units.** Some $H$ is enough; it may be huge, and grow like $m^d$ with the number of inputs $d$.
    - **That training finds them.** The weights exist; gradient descent may stop elsewhere (move the seed above).
    - **Anything outside** $K$, or about what was not measured: it is about a function that is known everywhere, not
      about noisy examples ([chapter 1](../regression/)).
    - **That one layer is the best way.** Choose the linear $g$ above: then no $H$ is enough. With ReLU, which is not
      bounded, the theorem still holds: it is enough that $g$ is no polynomial (Leshno and others 1993).

    ### Depth

    Some functions need few units in many layers but very many in one (Telgarsky 2016). Two ReLU units fold the interval
    from 0 to 1 once:

    $$\Lambda(x) = 2 \max(0, x) - 4 \max\big(0, x - \tfrac12\big)$$

    A layer that gets $\Lambda(x)$ as its input folds again, so $k$ layers of two units make $2^{k-1}$ teeth. A single
    hidden layer needs a unit for each kink.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    layers = mo.ui.slider(1, 8, value=3, label="layers $k$", show_value=True)
    layers
    return (layers,)


@app.cell
def _(lw):
    def sawtooth(k):
        """k hidden layers of two ReLU units, and their weights."""
        net = lw.Network(1, [2] * k, 1, hidden="relu", output="identity")
        theta = net.initialize(dtype="float64")
        for layer in range(1, k + 1):
            theta.W[layer][...] = [[1], [1]] if layer == 1 else [[2, -4], [2, -4]]
            theta.b[layer][...] = [0, -0.5]
        theta.W[k + 1][...] = [[2, -4]]
        return net, theta

    return (sawtooth,)


@app.cell(hide_code=True)
def _(layers, mo, notes, np, sawtooth):
    _x = np.linspace(0, 1, 2**11 + 1)[:, None]
    _net, _theta = sawtooth(layers.value)
    _ax = notes.figure(10, 2.4)
    _ax.plot(_x, _net.predict(_theta, _x), color="#D55E00", linewidth=1.2)
    _ax.set(xlabel="$x$", ylabel="$f(x)$", xlim=(0, 1), ylim=(-0.05, 1.1))
    _ax.grid(alpha=0.25)
    _teeth = 2 ** (layers.value - 1)
    mo.vstack([
        notes.show(_ax, "The sawtooth that some layers of two units make."),
        mo.md(f"{layers.value} layers, {2 * layers.value} units: {_teeth} {'tooth' if _teeth == 1 else 'teeth'}, "
              f"{2 * _teeth - 1} kinks. In one hidden layer each kink takes a ReLU unit of its own."),
    ])  # fmt: skip
    return


@app.cell(hide_code=True)
def _(lw, notes, np, sawtooth):
    def one_bump(b_1, b_2):
        """Whether sigmoid(100 x + b_1) - sigmoid(100 x + b_2) is a bump between 0.2 and 0.6."""
        pair = lw.Network(1, [2], 1, hidden="sigmoid", output="identity")
        at = pair.initialize(dtype="float64")
        at.W[1][...], at.b[1][...], at.W[2][...] = [[100], [100]], [b_1, b_2], [[1, -1]]
        places = np.array([0.0, 0.15, 0.25, 0.55, 0.65, 1.0])
        away = np.abs(pair.predict(at, places[:, None])[:, 0] - [0, 0, 1, 1, 0, 0])
        return away.max() < 0.02 or f"At x = {places[away.argmax()]:g} it is off by {away.max():.2f}."

    def fewest_steps(n):
        """Whether n steps have at most an error of 0.01 on t(x) = x from 0 to 1, and n - 1 have more."""
        if n not in range(1, 1001):
            return "It is a whole number below 1000."

        def largest(count):
            net, theta = lw.analysis.bump_network(lambda x: x, count, 0.0, 1.0, slope=1e4 * count)
            return lw.analysis.approximation_error(net, theta, lambda x: x, 0.0, 1.0).largest

        if (found := largest(int(n))) > 0.01001:
            return f"With {n:g} the largest error is {found:.4f}."
        return n == 1 or largest(int(n) - 1) > 0.01001 or f"{n:g} do, but fewer do too."

    def folds(k):
        """Whether k layers make 64 teeth."""
        if k not in range(1, 13):
            return "It is a small whole number."
        net, theta = sawtooth(int(k))
        heights = net.predict(theta, np.linspace(0, 1, 2**13 + 1)[:, None])[:, 0]
        teeth = int((heights > 0.999).sum())
        return teeth == 64 or f"{k:g} layers make {teeth}."

    exercises = notes.Exercises(
        notes.Exercise(
            r"Choose $b_1$ and $b_2$ so that $\sigma(100 x + b_1) - \sigma(100 x + b_2)$ is a bump of height 1 between "
            r"$x = 0.2$ and $x = 0.6$.",
            {"b_1": notes.Number("$b_1$"), "b_2": notes.Number("$b_2$")},
            check=one_bump,
            answer={"b_1": "-20", "b_2": "-60"},
            wrong=[{"b_1": "20", "b_2": "60"}, {"b_1": "-60", "b_2": "-20"}, {"b_1": "-0.2", "b_2": "-0.6"}],
            hint="A sigmoid is half way up where its pre-activation is 0.",
            explanation=r"$100 x + b = 0$ at $x = -b/100$: the bias gives the position.",
        ),
        notes.Exercise(
            "Stairs (bumps with a very steep slope) of equal width approximate $t(x) = x$ from 0 to 1. How many does "
            "it take at least, so that the error is nowhere above 0.01?",
            {"n": notes.Number("bumps")},
            check=fewest_steps,
            answer={"n": "50"}, wrong=[{"n": "100"}, {"n": "25"}],
            hint="Each stair is as high as the line is in its middle. How far off is it at its ends?",
            explanation="Half a width, $1/(2n)$: so $n = 50$ and 100 hidden units. Half the error takes twice "
            "as many.",
        ),
        notes.Exercise(
            "How many layers of two ReLU units make a sawtooth of 64 teeth?",
            {"k": notes.Number("layers $k$")},
            check=folds,
            answer={"k": "7"}, wrong=[{"k": "6"}, {"k": "64"}],
            hint="One layer makes one tooth, and each further one folds them all.",
            explanation="$2^{k-1} = 64$: 14 units in 7 layers, against 127 kinks, each of which takes a unit in one.",
        ),
    )  # fmt: skip
    answers = exercises.form()
    return answers, exercises


@app.cell(hide_code=True)
def _(answers, exercises):
    exercises.show(answers)
    return


if __name__ == "__main__":
    app.run()
