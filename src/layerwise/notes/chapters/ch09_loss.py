import marimo

app = marimo.App(app_title="9 Output and loss", width="medium")


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
    # 9 Output and loss

    The last layer's pre-activation $a = a^{(L+1)}(\mathbf{x})$ becomes an answer by the **output function** $o$, and
    the **loss** $l$ says how wrong the answer is. They belong together, so Layerwise has them as one object:

    | `output=` | $f = o(a)$ | $l(f, y)$ | $\partial l / \partial a$ | for |
    | :--- | :--- | :--- | :--- | :--- |
    | `"softmax"` | $e^{a_c} / \sum_{c'} e^{a_{c'}}$ | $-\log f_y$ | $f - e(y)$ | one class of $C$ |
    | `"sigmoid"` | $1/(1 + e^{-a})$ | $-y \log f - (1 - y) \log(1 - f)$ | $f - y$ | yes or no, for each output |
    | `"identity"` | $a$ | $\tfrac{1}{2} (f - y)^2$ | $f - y$ | numbers: their mean |
    | `"absolute"` | $a$ | $\lvert f - y \rvert$ | $\operatorname{sign}(f - y)$ | numbers: their median |
    | `"huber"` | $a$ | square within $\delta$, line beyond | $f - y$, at most $\delta$ | numbers, some far off |
    | `"poisson"` | $e^{a}$ | $f - y + y \log(y / f)$ | $f - y$ | counts |
    | `Quantile([q])` | $a$ | $q\,(y - f)$ or $(1 - q)(f - y)$ | $-q$ or $1 - q$ | a quantile |
    | `"gaussian"` | $m, s$ | $\tfrac{1}{2} (\log 2\pi + s + (y - m)^2 e^{-s})$ | two parts | $m$, variance $e^s$ |

    ## How sure, how wrong

    With softmax, $f_c$ is read as the probability of class $c$, and the loss is the surprise about what came:
    0 if it was certain, without bound if it was thought impossible. Move $a_y$, with all other pre-activations at 0.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    a_y = mo.ui.slider(-8, 8, 0.1, value=1, label="$a_y$", show_value=True)
    C = mo.ui.slider(2, 20, 1, value=3, label="classes $C$", show_value=True)
    mo.hstack([a_y, C], justify="start", gap=2)
    return C, a_y


@app.cell
def _(C, a_y, notes, np):
    rows = np.zeros((161, C.value))
    rows[:, 0] = np.linspace(-8, 8, 161)
    sweep = notes.trace_output(rows, [0] * 161)
    here = notes.trace_output(np.eye(C.value)[0] * a_y.value, 0)
    over_f, over_a = notes.figure(10, 3.6, columns=2, sharey=True)
    for ax, x, at, name in ((over_f, sweep.f[:, 0], here.f[0, 0], "$f_y$"), (over_a, rows[:, 0], a_y.value, "$a_y$")):
        ax.plot(x, sweep.losses, color="#0072B2")
        ax.plot(at, here.losses[0], "o", color="#D55E00")
        ax.set(xlabel=name)
    over_f.set(ylabel=r"loss $-\log f_y$", title=f"$f_y$ = {here.f[0, 0]:.3f}, loss {here.losses[0]:.3f}")
    over_a.set(title=f"slope {here.grad_a[1][0, 0]:.3f}")
    notes.show(ax, "The loss over the probability of the right class, and over its pre-activation.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Over $f_y$ the loss bends up steeply near 0. Over $a_y$ it is nearly a straight line of slope $-1$ while the answer
    is wrong, and nearly flat once it is right: this is what makes softmax and negative log-likelihood a good pair
    ([chapter 10](../gradient/) has the gradients). An untrained network, all $a_c$ equal, has the loss $\log C$.

    ## How not to overflow

    The formula of softmax, typed as it stands, fails soon: $e^{710}$ is too large for a float64 number, and $e^{89}$
    for a float32 one. If only the quotient is too small, $f_y = 0$ and the loss is infinite, though the true one is a
    modest number. Here $a = s \cdot (1, 0, -1)$; move $s$ up.
    """)
    return


@app.cell(hide_code=True)
def _(mo, np):
    scales = np.round(np.geomspace(1, 10000, 41), 1)
    scale = mo.ui.slider(steps=scales.tolist(), value=10, label="scale $s$", show_value=True)
    right = mo.ui.dropdown({str(c): c for c in range(3)}, value="2", label="right class $y$")
    digits = mo.ui.dropdown(["float64", "float32"], value="float64", label="numbers")
    mo.hstack([scale, right, digits], justify="start", gap=2)
    return digits, right, scale, scales


@app.cell
def _(digits, np):
    def as_it_stands(a, y):
        """-log f_y, typed as the formula says."""
        a = np.asarray(a, digits.value)
        with np.errstate(all="ignore"):
            f = np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True)
            return f, -np.log(f[..., y])

    return (as_it_stands,)


@app.cell
def _(as_it_stands, digits, notes, np, right, scale, scales):
    pattern, y = np.array([1.0, 0.0, -1.0]), right.value
    naive_losses = as_it_stands(scales[:, None] * pattern, y)[1]
    stable = notes.trace_output(scales[:, None] * pattern, [y] * len(scales), dtype=digits.value)
    panel = notes.figure(8, 3.4)
    panel.plot(scales, stable.losses, color="#0072B2", linewidth=4, alpha=0.4, label="Layerwise")
    panel.plot(scales, np.where(np.isfinite(naive_losses), naive_losses, np.nan), "--", color="#D55E00", label="typed")
    if not np.isfinite(naive_losses).all():
        end = scales[np.argmin(np.isfinite(naive_losses))]
        panel.axvspan(end, scales[-1], color="#D55E00", alpha=0.1, label="typed: infinite, or no number")
    panel.axvline(scale.value, color="0.3", linewidth=0.8)
    panel.set(xscale="log", yscale="symlog", xlabel="scale $s$", ylabel=r"loss $-\log f_y$", xlim=(1, scales[-1]))
    panel.set_ylim(0, 1e5)
    panel.legend(loc="lower right")
    notes.show(panel, "The loss over the scale of the pre-activations, typed as it stands and by log-sum-exp.")
    return pattern, y


@app.cell(hide_code=True)
def _(as_it_stands, digits, mo, notes, pattern, scale, y):
    typed_f, typed_loss = as_it_stands(scale.value * pattern, y)
    safe = notes.trace_output(scale.value * pattern, y, dtype=digits.value)
    _lines = [
        f"| {name} | {', '.join(f'{value:.4g}' for value in f)} | {loss:.6g} |"
        for name, f, loss in (("typed", typed_f, typed_loss), ("Layerwise", safe.f[0], safe.losses[0]))
    ]
    mo.md("\n".join([f"| at $s = {scale.value:g}$ | $f$ | $-\\log f_y$ |", "| :--- | :--- | :--- |", *_lines]))
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Two facts help. Softmax does not change if the same number is taken from every $a_c$, so one takes the largest, $m$,
    and no exponential exceeds 1. And the loss is computed from $a$, not from $f$: the logarithm undoes the
    exponential before anything can get lost. SymPy proves each line for any $m$; the numbers are those of the slider.
    """)
    return


@app.cell
def _(notes, pattern, scale, y):
    notes.proof("log_sum_exp", {"C": 3}, {"a": scale.value * pattern, "y": y})
    return


@app.cell(hide_code=True)
def _(lw):
    stable_loss, shifted_softmax = lw.proofs.log_sum_exp, lw.proofs.softmax_is_shift_invariant
    return shifted_softmax, stable_loss


@app.cell(hide_code=True)
def _(mo, notes, pattern, scale):
    mo.accordion(
        {
            "Why softmax may be shifted": notes.proof(
                "softmax_is_shift_invariant", {"C": 3}, {"a": scale.value * pattern, "s": -scale.value}
            )
        }
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Losses for numbers

    Which loss decides what a network says where it cannot know. Eight numbers, marked below the curves, and a ninth
    that you move: which constant $f$ has the least mean loss? The square says the mean, the absolute value the median,
    Huber's loss something between, and the pinball loss a quantile.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    ninth = mo.ui.slider(0, 20, 0.5, value=15, label="the ninth number", show_value=True)
    delta = mo.ui.slider(0.1, 5, 0.1, value=1, label=r"Huber's $\delta$", show_value=True)
    level = mo.ui.slider(0.05, 0.95, 0.05, value=0.9, label="level $q$", show_value=True)
    mo.hstack([ninth, delta, level], justify="start", gap=2)
    return delta, level, ninth


@app.cell
def _(delta, level, lw, ninth, notes, np):
    seen = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, ninth.value])
    constants = np.linspace(0, 20, 401)
    a, targets = (grid.reshape(-1, 1) for grid in np.meshgrid(constants, seen, indexing="ij"))
    losses = {"squared": "identity", "absolute": "absolute", "Huber": lw.Huber(delta.value),
              "pinball": lw.Quantile([level.value])}  # fmt: skip
    means, each = notes.figure(10, 3.8, columns=2)
    for i, (label, loss) in enumerate(losses.items()):
        mean = notes.trace_output(a, targets, loss).losses.reshape(401, 9).mean(axis=1)
        best = mean.argmin()
        means.semilogy(constants, mean, color=f"C{i}", label=f"{label}: {constants[best]:g}")
        means.plot(constants[best], mean[best], "o", color=f"C{i}")
        difference = np.linspace(-5, 5, 201)[:, None]
        each.plot(
            difference, notes.trace_output(difference, np.zeros((201, 1)), loss).losses, color=f"C{i}", label=label
        )
    means.plot(seen, np.full(9, 0.03), "k|", markersize=12)
    means.set(xlabel="constant $f$", ylabel="mean loss", ylim=(0.02, 5000))
    means.legend(title="least at", ncols=2, loc="upper center")
    each.set(xlabel="$f - y$", ylabel="loss of one", ylim=(0, 6))
    each.legend()
    notes.show(means, "The mean loss of nine numbers over a constant answer, and each loss by itself.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Drag the ninth number far away: only the square follows it. Drag $q$ from 0.5 to 0.9: the answer goes from the
    middle of the numbers to where one in ten lies above.

    ## Counts, and how sure the network is

    For counts, $f = e^a$ is a positive mean, and the loss is that of the Poisson distribution. The Gaussian output has
    two columns, a mean $m$ and a log variance $s$: the network says how far off it expects to be, and is fined both
    for claiming too much and for claiming too little. The best $s$ is $\log\,(y - m)^2$.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    count = mo.ui.slider(0, 10, 1, value=3, label="count $y$", show_value=True)
    miss = mo.ui.slider(0.1, 3, 0.1, value=1, label=r"$\lvert y - m \rvert$", show_value=True)
    mo.hstack([count, miss], justify="start", gap=2)
    return count, miss


@app.cell
def _(count, miss, notes, np):
    counts, gauss = notes.figure(10, 3.6, columns=2)
    place = np.linspace(-3, 3, 121)[:, None]
    poisson = notes.trace_output(place, np.full((121, 1), float(count.value)), "poisson")
    counts.plot(poisson.f, poisson.losses, color="#0072B2")
    counts.axvline(count.value, color="#D55E00", linestyle=":")
    counts.set(xlabel="$f = e^a$", ylabel="loss", title="Poisson: least at $f = y$", xlim=(0, 20), ylim=(-0.3, 15))
    s = np.linspace(-6, 4, 201)
    gaussian = notes.trace_output(np.column_stack([0 * s, s]), np.full((201, 1), miss.value), "gaussian")
    gauss.plot(s, gaussian.losses, color="#0072B2")
    gauss.axvline(2 * np.log(miss.value), color="#D55E00", linestyle=":")
    gauss.set(xlabel="log variance $s$", title=r"Gaussian: least at $s = \log\,(y - m)^2$", ylim=(-3, 15))
    notes.show(gauss, "The Poisson loss over the predicted mean, and the Gaussian one over the log variance.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Label smoothing

    The loss $-\log f_y$ is never 0: it asks for $a_y$ to grow for ever. With **smoothed labels**
    $p = (1 - \epsilon)\, e(y) + \epsilon / C$ the loss is $-\sum_c p_c \log f_c$ and its gradient $f - p$, so that
    the best answer has a finite $a$. Here are ten classes, with $a_c = 0$ but for the right one.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    smoothing = mo.ui.slider(0, 0.5, 0.01, value=0.1, label=r"smoothing $\epsilon$", show_value=True)
    mo.hstack([smoothing], justify="start")
    return (smoothing,)


@app.cell
def _(lw, notes, np, smoothing):
    ten = np.zeros((141, 10))
    ten[:, 0] = np.linspace(-2, 12, 141)
    smooth = notes.trace_output(ten, [0] * 141, lw.Softmax(smoothing=smoothing.value))
    lowest = smooth.losses.argmin()
    of_loss, of_slope = notes.figure(10, 3.4, columns=2)
    of_loss.plot(ten[:, 0], smooth.losses, color="#0072B2")
    of_loss.plot(ten[lowest, 0], smooth.losses[lowest], "o", color="#D55E00")
    of_loss.set(xlabel="$a_y$", ylabel="loss", title=f"least at $f_y$ = {smooth.f[lowest, 0]:.3f}", ylim=(0, 5))
    of_slope.plot(ten[:, 0], smooth.grad_a[1][:, 0], color="#0072B2")
    of_slope.axhline(0, color="0.3", linewidth=0.8)
    of_slope.set(xlabel="$a_y$", ylabel="slope $f_y - p_y$", ylim=(-1, 0.5))
    notes.show(of_loss, "The loss with smoothed labels over the pre-activation of the right class, and its slope.")
    return


@app.cell(hide_code=True)
def _(lw, notes, np):
    def loss_is(expected):
        """A check of one number against a loss that the library computes."""
        return lambda loss: abs(loss - expected) < 5e-4 * max(1, abs(expected))

    def best_constants(squared, absolute):
        """Whether no constant nearby has a smaller mean loss of 1, 2, 3, 4, 40."""
        y = np.array([[1.0], [2.0], [3.0], [4.0], [40.0]])
        for name, output, given in (("squared", "identity", squared), ("absolute", "absolute", absolute)):
            here, *near = (
                notes.trace_output(np.full((5, 1), given + shift), y, output).loss for shift in (0, -0.01, 0.01)
            )
            if here > min(near):
                return (
                    f"The {name} error of $f = {given:g}$ has the mean loss {here:.4g}; near by it is {min(near):.4g}."
                )
        return True

    def smoothed_answer(f_y):
        """Whether the slope of the loss at a_y is 0 there, with C = 10 and smoothing 0.2."""
        if not 0 < f_y < 1:
            return "A probability lies between 0 and 1."
        a = np.append(np.log(9 * f_y / (1 - f_y)), np.zeros(9))
        slope = notes.trace_output(a, 0, lw.Softmax(smoothing=0.2)).grad_a[1][0, 0]
        return abs(slope) < 1e-3 or f"There the slope in $a_y$ is ${slope:.3f}$, not 0."

    exercises = notes.Exercises(
        notes.Exercise(
            r"What is the loss $-\log f_y$ for $a = (1000, 998)$ and $y = 1$? (Any program that types softmax as it "
            "stands says it is no number.)",
            {"loss": notes.Number("loss")},
            check=loss_is(float(notes.trace_output([1000.0, 998.0], 1).losses[0])),
            answer={"loss": "2 + log(1 + exp(-2))"}, wrong=[{"loss": "2"}, {"loss": "0.1269"}],
            hint="Take $m = 1000$ from both, and use the last line of the proof.",
            explanation=r"$\log(e^0 + e^{-2}) + (1000 - 998) = 2.127$.",
        ),
        notes.Exercise(
            r"A network answers every row with the same $f$, and the targets are $1, 2, 3, 4, 40$. Which $f$ has the "
            "least mean squared error, and which the least mean absolute error?",
            {"squared": notes.Number("squared: $f$"), "absolute": notes.Number("absolute: $f$")},
            check=best_constants,
            answer={"squared": "10", "absolute": "3"},
            wrong=[{"squared": "3", "absolute": "3"}, {"squared": "10", "absolute": "10"}],
            hint="Set the sum of the slopes to 0: of $f - y$ for one, of the signs for the other.",
            explanation="The mean follows the 40, the median does not.",
        ),
        notes.Exercise(
            r"Ten classes and smoothed labels with $\epsilon = 0.2$. Which $f_y$ has the least loss?",
            {"f_y": notes.Number("$f_y$")},
            check=smoothed_answer,
            answer={"f_y": "0.82"}, wrong=[{"f_y": "0.8"}, {"f_y": "1"}],
            hint="The gradient is $f - p$; look at the definition of $p_y$.",
            explanation=r"$f_y = p_y = 1 - \epsilon + \epsilon / C = 0.82$: the right class has its share too.",
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
