import marimo

app = marimo.App(app_title="1 Regression and basis functions", width="medium")


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
    # 1 Regression and basis functions

    Given rows $(x^{(t)}, y^{(t)})$, find a function that predicts the number $y$ from $x$. **Linear regression** takes
    a weighted sum of **basis functions** $\phi_j$ that are fixed in advance,

    $$f(x) = \sum_{j=0}^{M} w_j\, \phi_j(x) = \mathbf{w}^\top \phi(x),
      \qquad \phi_0(x) = 1,$$

    which is linear in $\mathbf{w}$, and as curved in $x$ as the $\phi_j$ are. With $\phi_j(x) = x^j$ it is a polynomial
    of order $M$. One row for each example makes the **design matrix** $\Phi$, the targets make the vector
    $\mathbf{t}$, and the squared error is a bowl in $\mathbf{w}$, whose lowest point can be written down:

    $${\lVert \Phi \mathbf{w} - \mathbf{t} \rVert}^2 \;\text{ is least at }\;
      \mathbf{w} = (\Phi^\top \Phi)^{-1}\, \Phi^\top \mathbf{t}.$$

    (Its gradient, $2\,\Phi^\top(\Phi \mathbf{w} - \mathbf{t})$, is zero there.) **Ridge regression** adds a penalty for
    large weights,

    $${\lVert \Phi \mathbf{w} - \mathbf{t} \rVert}^2 + \lambda {\lVert \mathbf{w} \rVert}^2
      \;\text{ is least at }\;
      \mathbf{w} = (\lambda I + \Phi^\top \Phi)^{-1}\, \Phi^\top \mathbf{t}.$$

    Here the constant $w_0$ is left out of the penalty, as the biases of a network are: otherwise the result would
    depend on where the zero of $y$ is.
    """)
    return


@app.cell(hide_code=True)
def _(notes, np):
    def logarithmic(axis, ticks):
        """A logarithmic axis with few labels, none a formula: those would take most of the time of a picture."""
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
        axis.set_ticks(ticks, [f"{one:g}" for one in ticks])
        axis.axes.minorticks_off()

    _diabetes = notes.Table.named("diabetes")
    _bmi = _diabetes.features.index("bmi")
    own = notes.Upload(
        notes.Table.of("diabetes", _diabetes.X[:, [_bmi]], _diabetes.y, features=["bmi"]), inputs=1, classes=False
    )
    file = own.button()
    shuffled = np.random.default_rng(3).permutation
    return file, logarithmic, own, shuffled


@app.cell(hide_code=True)
def _(mo):
    order = mo.ui.slider(0, 12, value=3, label="order $M$", show_value=True)
    lam = mo.ui.slider(steps=[0, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10], value=0, label=r"ridge $\lambda$",
                       show_value=True)  # fmt: skip
    count = mo.ui.slider(5, 60, value=15, label="training rows $T$", show_value=True)
    noise = mo.ui.slider(0, 0.6, 0.05, value=0.25, label=r"noise $\sigma$", show_value=True)
    source = mo.ui.dropdown(["a sine with noise", "your own"], value="a sine with noise", label="data")
    return count, lam, noise, order, source


@app.cell(hide_code=True)
def _(file, own):
    table, message = own.take(file)
    return message, table


@app.cell(hide_code=True)
def _(count, file, lam, message, mo, noise, order, source):
    _first = [order, lam, count] if source.value == "your own" else [order, lam, count, noise]
    mo.vstack([
        mo.hstack(_first, justify="start", gap=2, wrap=True), source,
        *([file, message] if source.value == "your own" else []),
    ])  # fmt: skip
    return


@app.cell(hide_code=True)
def _(count, noise, np, shuffled, source, table):
    def sine(inputs):
        return np.sin(np.pi * inputs)

    if source.value == "your own":
        _low, _high = table.X.min(), table.X.max()
        _rows = shuffled(len(table))
        x_all, t_all = 2 * (table.X[_rows, 0] - _low) / (max(_high - _low, 1e-9)) - 1, table.y[_rows]
    else:
        _generator = np.random.default_rng(3)
        x_all = _generator.uniform(-1, 1, 400)
        t_all = sine(x_all) + noise.value * _generator.standard_normal(400)
    _T = min(count.value, max(len(x_all) // 2, 1))
    x, t, x_new, t_new = x_all[:_T], t_all[:_T], x_all[_T:], t_all[_T:]  # the rest is for testing
    x_fine = np.linspace(-1, 1, 201)
    return sine, t, t_new, x, x_fine, x_new


@app.cell
def _(lam, lw, order, t, x):
    Phi = lw.analysis.polynomial(x, order.value)  # a column for each power, 1 first
    w = lw.analysis.least_squares(Phi, t, lam.value, free_constant=True)
    return (w,)


@app.cell
def _(lam, lw, np, t, t_new, x, x_new):
    def errors(order, penalty):
        """Root of the mean squared error on the training rows, and on new ones."""
        found = lw.analysis.least_squares(lw.analysis.polynomial(x, order), t, penalty, free_constant=True)
        return [float(np.sqrt(np.mean((lw.analysis.polynomial(inputs, order) @ found - targets) ** 2)))
                for inputs, targets in [(x, t), (x_new, t_new)]]  # fmt: skip

    by_order = np.array([errors(m, lam.value) for m in range(13)])
    return by_order, errors


@app.cell(hide_code=True)
def _(by_order, errors, lam, logarithmic, lw, noise, notes, np, order, sine, source, t, w, x, x_fine):
    curve, orders_ax, lams_ax = notes.figure(10, 3.5, columns=3, gridspec_kw={"width_ratios": [1.25, 1, 1]})
    if source.value != "your own":
        curve.plot(x_fine, sine(x_fine), color="0.6", linestyle="--", label="sine")
    curve.plot(x_fine, lw.analysis.polynomial(x_fine, order.value) @ w, color="#0072B2", linewidth=2, label="f(x)")
    curve.scatter(x, t, s=22, color="#D55E00", zorder=3, label="training rows")
    _low, _high = min(t.min(), -1), max(t.max(), 1)
    curve.set(xlabel="x", ylabel="y", ylim=(_low - 0.4 * (_high - _low), _high + 0.15 * (_high - _low)))
    curve.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    _lams = [10.0**k for k in range(-7, 2)]
    _by_lam = np.array([errors(order.value, one) for one in _lams])
    for _ax, _at, _values, _here, _label in [
        (orders_ax, range(13), by_order, order.value, "order"),
        (lams_ax, _lams, _by_lam, max(lam.value, 1e-7), "lambda (leftmost: as good as 0)"),
    ]:
        _ax.plot(_at, _values[:, 0], "o-", color="#0072B2", markersize=4, label="training rows")
        _ax.plot(_at, _values[:, 1], "s-", color="#D55E00", markersize=4, label="new rows")
        if source.value != "your own" and noise.value:
            _ax.axhline(noise.value, color="0.6", linestyle="--", label="noise")
        _ax.axvline(_here, color="black", linewidth=1, linestyle=":")
        logarithmic(_ax.yaxis, [0.01, 0.1, 1, 10])
        _ax.set(xlabel=_label, ylim=(0.01, 10))
        _ax.grid(alpha=0.25)
    logarithmic(lams_ax.xaxis, [1e-6, 1e-4, 0.01, 1])
    orders_ax.set_ylabel("root mean squared error")
    orders_ax.legend(framealpha=0.9, edgecolor="none", fontsize="small", loc="upper left")
    notes.show(curve, "The polynomial through the training rows; its errors against the order, and against lambda.")
    return


@app.cell(hide_code=True)
def _(errors, lam, mo, order, w, x):
    _train, _test = errors(order.value, lam.value)
    _weights = ", ".join(f"{one:.3g}" for one in w)
    mo.md(f"$T = {len(x)}$, $\\mathbf{{w}} = ({_weights})$; error {_train:.3g} on the training rows, {_test:.3g} on "
          "new ones.")  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **Under-fitting**: an order of 0 to 2 cannot follow the sine, and is as wrong on the training rows as on new ones.
    **Over-fitting**: with order 12 the curve visits nearly every row, noise included; the training error only falls,
    the error on new rows rises, and the weights become huge. Try:

    - order 12, then more rows: the same order over-fits no longer;
    - order 12 with few rows, then $\lambda$ from $10^{-6}$ upwards: small weights, a smooth curve; too much of it, and
      it under-fits;
    - the dashed line is the noise $\sigma$: no function has a smaller error on new rows, for many of them.

    ## A network reaches the same weights

    A network with **no hidden layer** and identity output, which reads $\phi_1(x), \dots, \phi_M(x)$, is this very
    model: its bias is $w_0$. With an L2 penalty its objective is

    $$J = \frac{1}{T} \sum_t \frac{1}{2} {\big(f(x^{(t)}) - y^{(t)}\big)}^2 + s \sum_{j \ge 1} w_j^2,$$

    the objective above divided by $2T$ where $s = \lambda / (2T)$. So gradient descent must come to
    the same $\mathbf{w}$; here on the rows above and with their $\lambda$, with momentum 0.9 and all rows in every
    update.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    powers = mo.ui.slider(1, 6, value=2, label="order $M$", show_value=True)
    updates = mo.ui.slider(steps=[100, 300, 1000, 3000, 10000, 30000], value=1000, label="updates", show_value=True)
    rate = mo.ui.slider(steps=[0.01, 0.03, 0.1, 0.3, 1, 3], value=0.3, label=r"rate $\alpha$", show_value=True)
    mo.hstack([powers, updates, rate], justify="start", gap=2)
    return powers, rate, updates


@app.cell
def _(lam, lw, np, powers, rate, t, updates, x):
    inputs = lw.analysis.polynomial(x, powers.value)
    closed = lw.analysis.least_squares(inputs, t, lam.value, free_constant=True)
    net = lw.Network(powers.value, [], 1, output="identity", initialisation="zeros")
    passes, away, diverged = 100, [], ""  # an epoch holds the rows 100 times over, each batch all of them once

    def note(state):
        learned = np.concatenate([state.parameters.b[1], state.parameters.W[1][0]])
        away.append((state.history[-1].steps, np.abs(learned - closed).max()))

    try:
        model = lw.fit(
            net, np.tile(inputs[:, 1:], (passes, 1)), np.tile(t, passes)[:, None], batch_size=len(t), shuffle=False,
            update=lw.SGD(rate.value, momentum=0.9), penalty=lw.L2(lam.value / (2 * len(t))) if lam.value else None,
            epochs=updates.value // passes, dtype="float64", callbacks=note,
        )  # fmt: skip
    except lw.DivergenceError as problem:
        model, diverged = problem.model, f"in {problem.where} of {passes} updates the loss became {problem.got}"
    return away, closed, diverged, model


@app.cell(hide_code=True)
def _(away, closed, diverged, logarithmic, lw, mo, model, notes, np, powers, t, x, x_fine):
    _learned = np.concatenate([model.parameters.b[1], model.parameters.W[1][0]])
    _grown = np.abs(_learned - closed).max() > 1e3 * (1 + np.abs(closed).max())
    _size = f"after {away[-1][0] if away else 0} updates a weight is {np.abs(_learned).max():.1e}"
    if diverged or _grown:
        shown = mo.md(
            f"**Diverged**: {diverged or _size}. The rate is too large for the steepest direction of the bowl: every "
            "update overshoots the lowest point by more than the last. Lower the rate."
        ).callout(kind="danger")
    else:
        both, way = notes.figure(10, 3.2, columns=2)
        _features = lw.analysis.polynomial(x_fine, powers.value)
        both.plot(x_fine, _features @ closed, color="0.6", linewidth=5, label="closed form")
        both.plot(x_fine, _features @ _learned, color="#0072B2", label="network")
        both.scatter(x, t, s=16, color="#D55E00", zorder=3)
        both.set(xlabel="x", ylabel="f(x)", ylim=(min(t.min(), -1) - 0.5, max(t.max(), 1) + 0.5))
        both.legend(frameon=False)
        way.plot(*np.array(away).T, ".-", color="#0072B2")
        logarithmic(way.xaxis, [100, 1000, 10000])
        logarithmic(way.yaxis, [1e-16, 1e-12, 1e-8, 1e-4, 1])
        way.set(xlabel="updates", ylabel="largest difference of a weight", xlim=(80, 40000), ylim=(1e-17, 20))
        way.grid(alpha=0.25)
        _rows = "\n".join(
            f"| $w_{{{j}}}$ | {one:.6f} | {other:.6f} | {other - one:.1e} |"
            for j, (one, other) in enumerate(zip(closed, _learned, strict=True))
        )
        shown = mo.vstack([
            notes.show(both, "The closed form and the network, and how far apart their weights are by update."),
            mo.md(f"| | closed form | network | difference |\n|---|---|---|---|\n{_rows}"),
        ])  # fmt: skip
    shown
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    With order 1 or 2 the two agree to all digits within 1000 updates. With higher orders the powers of $x$ become so
    alike that the bowl is a long valley: the curves are the same to the eye long before the weights are. That is a
    matter of the basis, not of the network; with $\lambda$ the valley gets a slope. (The closed form has no easier
    life: $\Phi^\top \Phi$ squares the trouble, so that `least_squares` goes by singular values instead.)
    [Chapter 12](../descent/) tells which rates diverge.

    ## Bias, variance, noise

    Draw the $T$ training rows anew, many times, and fit each sample. With $\bar f(x)$ the mean of the fits, and
    $h(x)$ the true function, the expected squared error of a fit on a new target is a sum of three:

    $$E\big[(f(x) - y)^2\big] =
      \underbrace{(\bar f(x) - h(x))^2}_{\text{bias}^2} +
      \underbrace{E\big[(f(x) - \bar f(x))^2\big]}_{\text{variance}} +
      \underbrace{\sigma^2}_{\text{noise}}$$

    averaged over $x$. It takes a known $h$: here it is the sine, with noise $\sigma = 0.25$.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    m_split = mo.ui.slider(0, 9, value=3, label="order $M$", show_value=True)
    lam_split = mo.ui.slider(steps=[0, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10], value=0, label=r"ridge $\lambda$",
                             show_value=True)  # fmt: skip
    count_split = mo.ui.slider(5, 60, value=15, label="rows $T$", show_value=True)
    mo.hstack([m_split, lam_split, count_split], justify="start", gap=2)
    return count_split, lam_split, m_split


@app.cell
def _(count_split, lam_split, lw, np, sine):
    places = np.linspace(-1, 1, 61)

    def resampled(order):
        def fit_and_predict(inputs, targets, new):
            features = lw.analysis.polynomial(inputs, order)
            found = lw.analysis.least_squares(features, targets, lam_split.value, free_constant=True)
            return lw.analysis.polynomial(new, order) @ found

        return lw.analysis.bias_variance(fit_and_predict, sine, places, 0.25, rows=count_split.value, repeats=40)

    split_by_order = [resampled(m) for m in range(10)]
    return places, split_by_order


@app.cell(hide_code=True)
def _(logarithmic, m_split, mo, notes, np, places, sine, split_by_order):
    _here = split_by_order[m_split.value]
    fits, parts = notes.figure(10, 3.4, columns=2)
    fits.plot(places, _here.predictions.T, color="#0072B2", alpha=0.2, linewidth=0.8)
    fits.plot(places, _here.mean, color="#0072B2", linewidth=2.5, label="mean of 40 fits")
    fits.plot(places, sine(places), color="black", linestyle="--", label="h")
    fits.set(xlabel="x", ylabel="f(x)", ylim=(-2.2, 2.2))
    fits.legend(frameon=False, loc="upper left", fontsize="small")
    for _name, _label, _colour, _style in [
        ("bias_squared", "bias²", "#0072B2", "o-"), ("variance", "variance", "#D55E00", "s-"),
        ("noise", "noise", "0.6", "--"), ("total", "sum", "black", "-"),
    ]:  # fmt: skip
        _values = np.maximum([getattr(one, _name) for one in split_by_order], 1e-5)
        parts.plot(range(10), _values, _style, color=_colour, markersize=4, label=_label)
    parts.axvline(m_split.value, color="black", linewidth=1, linestyle=":")
    logarithmic(parts.yaxis, [1e-4, 0.001, 0.01, 0.1, 1, 10])
    parts.set(xlabel="order", ylim=(1e-4, 10))
    parts.grid(alpha=0.25)
    parts.legend(framealpha=0.9, edgecolor="none", ncols=2, fontsize="small", loc="upper left")
    mo.vstack([
        notes.show(fits, "Fits of forty samples with their mean, and bias, variance and noise against the order."),
        mo.md(f"Order {m_split.value}: bias$^2$ {_here.bias_squared:.3g} + variance {_here.variance:.3g} + noise "
              f"{_here.noise:.3g} = **{_here.total:.3g}**."),
    ])  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    A low order has bias: even the mean of all fits is wrong. A high one has variance: each fit follows its own noise.
    $\lambda$ trades the one for the other without a change of the order, and more rows lower the variance alone. The
    best order is where the sum is smallest, and it depends on $T$ and $\lambda$: move them. (Where the fits vary
    wildly, so does the mean of only forty of them: the bias at the highest orders is mostly that.)

    The basis functions here are chosen by hand. [Chapter 2](../features/) does so for classes; a hidden layer is a
    basis that is learned, $\phi(x) = h^{(1)}(x)$ ([chapter 7](../approximation/)).
    """)
    return


@app.cell(hide_code=True)
def _(lw, notes, np):
    def line_of_three(w_0, w_1):
        """Whether it is the closed form's."""
        right = lw.analysis.least_squares(lw.analysis.polynomial([0, 1, 2], 1), [1, 2, 4])
        mine = np.array([w_0, w_1])
        error = float(((lw.analysis.polynomial([0, 1, 2], 1) @ mine - [1, 2, 4]) ** 2).sum())
        return bool(np.abs(mine - right).max() < 5e-3) or f"The sum of squares of your line is {error:.3g}."

    def what_falls(part):
        """What is smaller for order 5 than for order 1."""
        places = np.linspace(-1, 1, 41)

        def parts(order):
            features = lw.analysis.polynomial
            split = lw.analysis.bias_variance(
                lambda x, t, new: features(new, order) @ lw.analysis.least_squares(features(x, order), t),
                lambda x: np.sin(np.pi * x), places, 0.3, rows=20,
            )  # fmt: skip
            return {"bias^2": split.bias_squared, "variance": split.variance, "noise": split.noise}

        low, high = parts(1)[part], parts(5)[part]
        return high < low or f"With 20 rows it goes from {low:.3g} at order 1 to {high:.3g} at order 5."

    def reaches_ridge(s):
        """Whether a network with penalty s has the weight of ridge regression with lambda = 4, of 20 rows."""
        x = np.linspace(-1, 1, 20)
        ridge = lw.analysis.least_squares(lw.analysis.polynomial(x, 1), 3 * x, penalty=4, free_constant=True)[1]
        net = lw.Network(1, [], 1, output="identity")
        trained = lw.fit(net, x[:, None], 3 * x[:, None], update=lw.SGD(0.3), batch_size="all", epochs=300,
                         penalty=lw.L2(s), dtype="float64", seed=0)  # fmt: skip
        weight = float(trained.parameters.W[1][0, 0])
        return abs(weight - ridge) < 1e-3 or f"The network comes to $w = {weight:.3f}$, ridge to ${ridge:.3f}$."

    exercises = notes.Exercises(
        notes.Exercise(
            "By hand: which line $w_0 + w_1 x$ is best, by least squares, for $y = 1, 2, 4$ at $x = 0, 1, 2$?",
            {"w_0": notes.Number("$w_0$"), "w_1": notes.Number("$w_1$")},
            check=line_of_three,
            answer={"w_0": "5/6", "w_1": "3/2"}, wrong=[{"w_0": "1", "w_1": "1"}, {"w_0": "1", "w_1": "3/2"}],
            hint=r"$\Phi^\top \Phi = \begin{pmatrix} 3 & 3 \\ 3 & 5 \end{pmatrix}$ and "
            r"$\Phi^\top \mathbf{t} = (7, 10)$.",
            explanation="$3 w_0 + 3 w_1 = 7$ and $3 w_0 + 5 w_1 = 10$.",
        ),
        notes.Exercise(
            "Twenty rows of the sine with noise: what falls when the order goes from 1 to 5?",
            {"part": notes.Choice("", ("bias^2", "variance", "noise"))},
            check=what_falls,
            answer={"part": "bias^2"}, wrong=[{"part": "variance"}, {"part": "noise"}],
            hint="Which of them can a more flexible curve do something about?",
            explanation="A polynomial of order 5 can follow the sine. Its variance is larger, the noise the same.",
        ),
        notes.Exercise(
            r"You train a network on $T = 20$ rows with the penalty `lw.L2(s)`. Which $s$ makes it ridge regression "
            r"with $\lambda = 4$?",
            {"s": notes.Number("$s$")},
            check=reaches_ridge,
            answer={"s": "4/40"}, wrong=[{"s": "4"}, {"s": "0.2"}],
            hint=r"The network's objective is that of ridge regression divided by $2T$.",
            explanation=r"$s = \lambda / (2T)$.",
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
