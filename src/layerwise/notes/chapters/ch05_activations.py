import marimo

app = marimo.App(app_title="5 Activation functions", width="medium")


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
    # 5 Activation functions

    The activation function $g$ turns a neuron's pre-activation $a$ into its activation $h = g(a)$
    ([chapter 4](../neuron/)). Without it layers would collapse: a linear function of linear functions is linear.
    Training needs its derivative too, once for each unit and example ([chapter 11](../backpropagation/)):

    $$\frac{\partial l}{\partial a} = \frac{\partial l}{\partial h} \; g'(a)$$

    The course's four, with derivatives that cost nothing once $h$ is known:

    | | $g(a)$ | range | $g'(a)$ |
    |:--|:--|:--|:--|
    | linear | $a$ | all numbers | $1$ |
    | sigmoid | $1/(1 + e^{-a})$ | $0$ to $1$ | $g(a)\,(1 - g(a))$ |
    | tanh | $(e^a - e^{-a})/(e^a + e^{-a})$ | $-1$ to $1$ | $1 - g(a)^2$ |
    | ReLU | $\max(0, a)$ | $0$ to $\infty$ | $1_{a > 0}$ |

    And today's, all as the library computes them:
    """)
    return


@app.cell
def _(lw, notes):
    gallery = lw.ActivationDisplay.from_activations(ax=notes.figure(10, 6.4))
    rows = {row.name: row for row in gallery.rows}
    notes.show(gallery, "All activation functions of the library with their derivatives, formulas and ranges.")
    return gallery, rows


@app.cell(hide_code=True)
def _(gallery, mo):
    def cell(latex):
        return "$" + latex.replace(r"\left|", r"\lvert ").replace(r"\right|", r"\rvert ") + "$"  # a bar would end it

    _lines = [
        f"| {name} | {cell(formula)} | {cell(derivative)} | {range_of} | {kinks} |"
        for name, formula, derivative, range_of, kinks in (row.values() for row in gallery.table)
    ]
    _head = "| | $g(a)$ | $g'(a)$, with $h = g(a)$ | range | kinks |\n|:--|:--|:--|:--|:--|\n"
    mo.accordion({"As a table": mo.md(_head + "\n".join(_lines))})
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    At a **kink** $g$ has no derivative. Any value between the slopes of both sides will do for descent;
    the library states which it takes, such as $g'(0) = 0$ for ReLU.

    ## One function, one point

    Move $a$: the black line is the tangent, its slope is $g'(a)$, the lower dot. Look for the $a$ at which $g'$ is
    nearly 0: there a unit learns nothing. It is called **saturated**.
    """)
    return


@app.cell(hide_code=True)
def _(mo, rows):
    point = mo.ui.slider(-4, 4, 0.1, value=0.5, label="$a$", show_value=True)
    g = mo.ui.dropdown(list(rows), value="sigmoid", label="$g$")
    mo.hstack([point, g], justify="start", gap=2)
    return g, point


@app.cell
def _(g, lw, notes, np, point, rows):
    ax = notes.figure(7, 4.4)
    lw.ActivationDisplay.from_activations(g.value, ax=ax)
    (h,), (slope,) = rows[g.value].values(np.array([point.value]))
    ax.plot([point.value - 1.2, point.value + 1.2], [h - 1.2 * slope, h + 1.2 * slope], color="black", linewidth=1.2)
    ax.plot([point.value] * 2, [h, slope], "o", color="black")
    notes.show(ax, "The activation function, its derivative, and its tangent at the chosen point.")
    return h, slope


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Proved

    The sigmoid's identity, by the quotient rule, and that of $\tanh$ in the same way:

    $$\begin{aligned}
    \frac{d}{da}\, \frac{1}{1 + e^{-a}} &= \frac{e^{-a}}{(1 + e^{-a})^2}
      = \frac{1}{1 + e^{-a}} \cdot \frac{(1 + e^{-a}) - 1}{1 + e^{-a}} = g(a)\,(1 - g(a)) \\
    \frac{d}{da}\, \frac{e^a - e^{-a}}{e^a + e^{-a}} &=
      \frac{(e^a + e^{-a})^2 - (e^a - e^{-a})^2}{(e^a + e^{-a})^2} = 1 - g(a)^2
    \end{aligned}$$

    SymPy proves it of every $g$, from the very formulas that the library computes with (a sigmoid that cannot overflow
    is written with $e^{-|a|}$). For the $g$ chosen above:
    """)
    return


@app.cell
def _(g, lw, point):
    proof = lw.proofs.activation_derivatives
    which = [step.text.partition(":")[0] for step in proof.steps].index(g.value)
    step = proof.steps[which]
    proved = step.holds
    line = proof.check(a=point.value)[which] if point.value else None  # with 30 digits; 0 is neither side
    return line, proof, proved, step


@app.cell(hide_code=True)
def _(h, line, mo, point, proved, slope, step):
    _numbers = f"At $a = {point.value:g}$, $g(a) = {h:.4f}$ and $g'(a) = {slope:.4f}$."
    if line is not None:
        _numbers += f" Computed with 30 digits, the two sides of the line differ there by {line.difference:.1g}."
    mo.vstack([
        mo.md(f"$${step.latex}$$\n\n{step.reason[:1].upper()}{step.reason[1:]}."),
        mo.md(f"**{'Proved' if proved else 'Not proved'} by SymPy.** {_numbers}").callout(
            kind="success" if proved else "danger"
        ),
    ])  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Vanishing derivatives

    Backwards through $k$ layers the chain rule multiplies $k$ derivatives, each times a weight:

    $$\frac{\partial h^{(k)}}{\partial x} = \prod_{j=1}^{k} w^{(j)}\, g'(a^{(j)})$$

    The sigmoid's $g'$ is at most $g'(0) = 1/4$: after 10 layers $(1/4)^{10} \approx 10^{-6}$ is left. At the left, the
    product for $w = 1$ and the same $a$ everywhere; at the right, real networks before training: the gradient that
    arrives at the first of $L$ hidden layers, as a share of that at the last.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    everywhere = mo.ui.slider(-4, 4, 0.25, value=0.5, label="$a$ in every layer", show_value=True)
    everywhere
    return (everywhere,)


@app.cell
def _(lw, notes, np):
    digits = notes.Table.named("digits")
    shown = {"sigmoid": "#D55E00", "tanh": "#0072B2", "relu": "#009E73", "gelu": "#CC79A7", "linear": "0.5"}
    depths = range(1, 13)

    def arriving(g, L):
        deep = lw.Network(64, [40] * L, 10, hidden=g)
        grad_a = deep.trace(deep.initialize(seed=0), digits.X[:50], digits.y[:50]).grad_a
        return np.abs(grad_a[1]).mean() / np.abs(grad_a[L]).mean()

    shares = {g: [arriving(g, L) for L in depths] for g in shown}
    return depths, digits, shares, shown


@app.cell(hide_code=True)
def _(depths, everywhere, notes, np, rows, shares, shown):
    product, real = notes.figure(10, 3.8, columns=2)
    _k = np.arange(1, 21)
    for _name, _colour in shown.items():
        _slope = abs(float(rows[_name].values(np.array([everywhere.value]))[1][0]))
        product.plot(_k, np.maximum(_slope**_k, 1e-30), "o-", markersize=3, color=_colour, label=_name)
        real.plot(depths, shares[_name], "o-", markersize=3, color=_colour, label=_name)
    product.set(xlabel="layers $k$", ylabel=f"$|g'({everywhere.value:g})|^k$", yscale="log", ylim=(1e-14, 1e3))
    real.set(xlabel="hidden layers $L$", ylabel="share of the gradient that arrives", yscale="log")
    for _ax in (product, real):
        _ax.grid(alpha=0.25)
        _ax.minorticks_off()
        _ax.xaxis.get_major_locator().set_params(integer=True)
    real.legend(frameon=False, fontsize="small", loc="lower left")
    notes.show(product, "Products of derivatives over layers, and the gradients that arrive in real networks.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Dead units

    ReLU does not vanish where $a > 0$. But a unit with $a \leq 0$ for **every** example has $g' = 0$ for every
    example: no gradient reaches its weights, and it stays **dead**. One step too long is enough. Below, 40 hidden
    units after five epochs on digits; black is $g'(a) = 0$. Raise the rate until columns go black, then try leaky ReLU.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    rate = mo.ui.slider(steps=[0.01, 0.03, 0.1, 0.3, 1, 3], value=0.3, label=r"rate $\alpha$", show_value=True)
    unit = mo.ui.dropdown(["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid"], value="relu", label="$g$")
    mo.hstack([rate, unit], justify="start", gap=2)
    return rate, unit


@app.cell
def _(digits, lw, np, rate, rows, unit):
    reader = lw.Network(64, [40], 10, hidden=unit.value)
    diverged = ""
    try:
        model = lw.fit(
            reader, digits.X[:500], digits.y[:500], update=lw.SGD(rate.value), batch_size=8, epochs=5, seed=0
        )
    except lw.DivergenceError as problem:
        model, diverged = problem.model, str(problem)
    seen = model.trace(digits.X[500:600], digits.y[500:600])
    slopes = np.abs(rows[unit.value].values(seen.a[1])[1])  # (examples, units)
    dead = (slopes < 0.001).all(axis=0)
    return dead, diverged, seen, slopes


@app.cell(hide_code=True)
def _(dead, diverged, mo, notes, np, rate, seen, slopes, unit):
    picture = notes.figure(9, 3.6)
    _image = picture.imshow(slopes[:, np.argsort(dead, kind="stable")], aspect="auto", cmap="gray", vmin=0, vmax=1,
                            interpolation="nearest")  # fmt: skip
    picture.set(xlabel="hidden unit, the dead ones last", ylabel="example")
    picture.figure.colorbar(_image, ax=picture, label="$|g'(a)|$")
    _said = (
        f"{dead.sum()} of {len(dead)} units are dead, with $|g'| < 0.001$ for each of these 100 digits, which training "
        f"did not see. Their mean loss is {seen.loss:.3f}."
    )
    if diverged:
        _said = (
            f"**Diverged** at the rate {rate.value:g} with {unit.value}: *{diverged}*. Shown is what there was before."
        )
    mo.vstack([notes.show(picture, "The derivative of each hidden unit for each of a hundred digits."),
               mo.md(_said).callout(kind="danger" if diverged else "neutral")])  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Your own

    Type a formula of `a`: numbers, `+ - * / ^`, brackets, `exp log sqrt tanh sigmoid relu sin cos abs max min`. It
    becomes a small tree of operations (nothing is executed); the derivative is taken **on the tree**, checked by finite
    differences, and the compiled engine trains with it. In Python it would be
    `lw.Network(2, [8], 1, hidden=lambda s, a: a * s.tanh(s.exp(a)))`. Try `sin(a)`, `exp(-a^2)`, `max(a, 0)^2`,
    `a / (1 + abs(a))`, and `log(a)`.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    formula = mo.ui.text(value="a * tanh(exp(a))", label="$g(a) =$")
    speed = mo.ui.slider(
        steps=[0.003, 0.01, 0.03, 0.1, 0.3], value=0.03, label=r"rate $\alpha$ of Adam", show_value=True
    )
    mo.hstack([formula, speed], justify="start", gap=2)
    return formula, speed


@app.cell
def _(formula, lw, notes):
    wrong = ""
    try:
        own = notes.activation_of(formula.value)
    except lw.LayerwiseError as error:
        own, wrong = notes.activation_of("a * tanh(exp(a))"), str(error)
    return own, wrong


@app.cell(hide_code=True)
def _(mo, own, wrong):
    _parts = [mo.md(f"$$g(a) = {own.g.latex()} \\qquad\\qquad g'(a) = {own.derivative.latex()}$$")]
    if wrong:
        _parts.insert(0, mo.md(f"{wrong}\n\nStill in use: `a * tanh(exp(a))`").callout(kind="warn"))
    mo.vstack(_parts)
    return


@app.cell
def _(lw, own, speed):
    X, y = lw.analysis.moons(200, noise=0.15, seed=2)
    nets = {name: lw.Network(2, [8], 1, hidden=g, output="sigmoid")
            for name, g in (("yours", own), ("tanh", "tanh"), ("relu", "relu"))}  # fmt: skip
    trained, lost = {}, []
    for name, net in nets.items():
        try:
            trained[name] = lw.fit(net, X, y, update=lw.Adam(speed.value), batch_size=16, epochs=40, seed=0)
        except lw.DivergenceError as trouble:
            trained[name] = trouble.model
            lost.append(f"{name}: {trouble}")
    check = lw.check_gradient(nets["yours"], nets["yours"].initialize(seed=0), X[:5], y[:5])
    return X, check, lost, nets, trained, y


@app.cell(hide_code=True)
def _(X, check, lost, lw, mo, nets, notes, own, trained, y):
    curves, losses, plane = notes.figure(10, 3.6, columns=3, width_ratios=(3, 3, 5))
    lw.ActivationDisplay.from_activations(own, ax=curves)
    curves.get_legend().remove()
    curves.set_title("$g$ (blue) and $g'$ (orange)", pad=6)
    for _name, _colour in (("yours", "black"), ("tanh", "#0072B2"), ("relu", "#009E73")):
        _history = trained[_name].history
        losses.plot(_history["epoch"], _history["train_loss"], color=_colour, label=_name)
    losses.set(xlabel="epoch", title="training loss", ylim=(0, 0.8))
    losses.legend(frameon=False, fontsize="small")
    losses.grid(alpha=0.25)
    lw.DecisionBoundary.from_network(
        nets["yours"], trained["yours"].parameters, X, y, class_names=("y = 0", "y = 1"),
        feature_names=("$x_1$", "$x_2$"), resolution=80, ax=plane,
    )  # fmt: skip
    _said = (
        "Backpropagation with your derivative and finite differences differ by at most "
        f"{check.max_relative_error:.1g} of the largest gradient."
    )
    if lost:
        _said += " **Diverged.** " + "; ".join(lost)
    mo.vstack([notes.show(curves, "Your function and its derivative, losses by epoch, and your network's decision."),
               mo.md(_said).callout(kind="danger" if lost else "neutral")])  # fmt: skip
    return


@app.cell(hide_code=True)
def _(notes, np, rows):
    def slope_of_softplus(given):
        right = rows["softplus"].values
        return notes.agree(given, lambda a: right(np.array([a]))[1][0])

    def bounded(g):
        """Whether g is bounded, increasing, and like the identity at 0."""
        places = np.concatenate([-np.geomspace(1e6, 1e-3, 300), [0.0], np.geomspace(1e-3, 1e6, 300)])
        values = np.broadcast_to(np.asarray(g(places), dtype=np.float64), places.shape)
        if not np.isfinite(values).all():
            return f"It has no finite value at $a = {places[~np.isfinite(values)][0]:.3g}$."
        slope = float(g(1e-5) - g(-1e-5)) / 2e-5
        if abs(float(g(0.0))) > 1e-9 or abs(slope - 1) > 1e-3:
            return f"$g(0) = {float(g(0.0)):.3g}$, and the slope there is {slope:.3g}."
        if (np.diff(values) < -1e-9).any():
            return f"It decreases near $a = {places[np.diff(values).argmin()]:.3g}$."
        if np.abs(values - np.tanh(places)).max() < 1e-6:
            return "That is tanh."
        grows = [abs(float(g(sign * 1e6)) - float(g(sign * 1e4))) for sign in (-1, 1)]
        return max(grows) < 0.1 * np.abs(values).max() or "It is not bounded: look at a large $a$."

    exercises = notes.Exercises(
        notes.Exercise(
            "Five layers of one sigmoid unit each, all weights 1. At most how large is the derivative of the last "
            "activation with respect to the input?",
            {"d": notes.Number("at most")},
            check=lambda d: abs(d - rows["sigmoid"].values(np.zeros(1))[1][0] ** 5) < 5e-5,
            answer={"d": "(1/4)^5"}, wrong=[{"d": "1"}, {"d": "5/4"}, {"d": "1/4"}],
            hint="A product of five factors $g'(a)$; where is $g'$ largest?",
            explanation=r"$g'(a) = g(1 - g)$ is largest where $g = 1/2$: $1/4$. $(1/4)^5 \approx 0.001$.",
        ),
        notes.Exercise(
            r"What is the derivative of softplus, $g(a) = \log(1 + e^a)$?",
            {"given": notes.Formula("$g'(a)$", ("a",))},
            check=slope_of_softplus,
            answer={"given": "exp(a)/(1 + exp(a))"},
            wrong=[{"given": "1/(1 + exp(a))"}, {"given": "exp(a)"}, {"given": "max(a, 0)"}],
            hint="The chain rule: one over the inner function, times the inner derivative.",
            explanation="It is the sigmoid: softplus is a smooth ReLU, and the sigmoid a smooth step.",
        ),
        notes.Exercise(
            "Invent an activation function that is bounded, never decreases, and has $g(0) = 0$ and $g'(0) = 1$; but "
            "not tanh. (Its values are computed from $-10^6$ to $10^6$.)",
            {"g": notes.Formula("$g(a)$", ("a",))},
            check=bounded,
            answer={"g": "a/(1 + abs(a))"},
            wrong=[{"g": "a"}, {"g": "tanh(a)"}, {"g": "log(1 + max(a, 0)) - log(1 + max(-a, 0))"}, {"g": "sigmoid(a)"},
                    {"g": "sin(a)"}, {"g": "2*sigmoid(a) - 1"}],
            hint="Divide $a$ by something that grows as fast as it does, or stretch a sigmoid.",
            explanation=r"$a/(1 + |a|)$ is *softsign*; $\max(-1, \min(a, 1))$ and $4\,\text{sigmoid}(a) - 2$ do too.",
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
