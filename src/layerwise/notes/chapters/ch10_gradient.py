import marimo

app = marimo.App(app_title="10 The gradient at the output", width="medium")


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
    # 10 The gradient at the output

    For one example, the last layer gives the pre-activation $a = a^{(L+1)}(\mathbf{x})$, the output is
    $f = \mathrm{softmax}(a)$ and the loss is $l = -\log f_y$, with $y$ the right class ([chapter 9](../loss/)).
    Backpropagation starts with two gradients of that loss:

    $$\nabla_{f} \left(-\log f_y\right) = -\frac{e(y)}{f_y}
      \qquad\qquad
      \nabla_{a} \left(-\log f_y\right) = -\left(e(y) - f\right) = f - e(y)$$

    This page derives both, line by line. For each line SymPy is asked whether the left side minus the right side is 0,
    with symbols for all numbers, every right class $y$ and every entry $c$ (once for each $C$; the 25 pairs of five
    classes take a second); and the line is computed with the numbers that you choose here.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    classes = mo.ui.dropdown({str(number): number for number in range(2, 6)}, value="3", label="number of classes $C$")
    mo.hstack([classes], justify="start")
    return (classes,)


@app.cell(hide_code=True)
def _(classes, mo):
    C = classes.value
    starts = (1.0, 2.0, -0.5, 0.5, -1.5)
    sliders = mo.ui.array(
        [mo.ui.slider(-6, 6, 0.1, value=starts[c], label=f"$a_{c}$", show_value=True) for c in range(C)]
    )
    right = mo.ui.dropdown({str(c): c for c in range(C)}, value="0", label="right class $y$")
    mo.vstack([*sliders, right])
    return C, right, sliders


@app.cell
def _(C, lw, notes, np, right, sliders):
    a, y = np.array(sliders.value), right.value
    f = notes.trace_output(a, y).f[0]
    e_y = np.eye(C)[y]
    gradient = lw.loss_gradient_at_preactivation(f, y)

    ax = notes.figure(10, 3)
    places = np.arange(C) + np.arange(3)[:, None] * (C + 1)
    for at, bars, title in zip(places, (f, e_y, gradient), ("$f$", "$e(y)$", "$f - e(y)$"), strict=True):
        drawn = ax.bar(at, bars + 0.0, color=["#D55E00" if c == y else "#0072B2" for c in range(C)])
        ax.bar_label(drawn, fmt="%.2f", padding=2)
        ax.text(at.mean(), 1.3, title, ha="center", fontsize="large")
    ax.axhline(0, color="0.3", linewidth=0.8)
    ax.set(xlabel="class $c$", ylim=(-1.2, 1.55), yticks=[-1, 0, 1])
    ax.set_xticks(places.ravel(), [str(c) for c in range(C)] * 3)
    notes.show(ax, "Bars of the output, the one-hot vector and their difference, the right class in orange.")
    return a, f, gradient, y


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    The bars on the right are what the network hears: *the right class up by what it lacks, every other class down by
    what it has too much* (a step goes against the gradient). Move $a_y$ up until $f_y$ is nearly 1, and there is
    nothing left to say.

    ## At the output

    Here $f_0, \dots, f_{C-1}$ count as free variables. Only $f_y$ occurs in the loss, so all other entries are 0.
    """)
    return


@app.cell
def _(C, f, notes, y):
    notes.proof("loss_gradient_at_output", {"C": C}, {"f": f, "y": y})
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    The entry $-1/f_y$ has no bound: a network that is sure of a wrong class gets a huge gradient *at the output*. The
    next step tames it, because the slope of softmax is small just there.

    ## At the pre-activation

    Softmax is a quotient, $f_y = e^{a_y} / \sum_{c'} e^{a_{c'}}$, whose denominator depends on *every* $a_c$, and whose
    numerator depends on $a_y$ alone. Hence the quotient rule (line 2), and two cases: $y = c$ (line 6) and $y \neq c$
    (line 7). One indicator writes both as one (line 8), and all entries together are the vector $f - e(y)$ (line 9).
    """)
    return


@app.cell
def _(C, a, notes, y):
    notes.proof("loss_gradient_at_preactivation", {"C": C}, {"a": a, "y": y})
    return


@app.cell(hide_code=True)
def _(lw):
    # The derivations themselves; print(at_preactivation) reads as plain text.
    at_output = lw.proofs.loss_gradient_at_output
    at_preactivation = lw.proofs.loss_gradient_at_preactivation
    of_others = lw.proofs.other_outputs
    return at_output, at_preactivation, of_others


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Against finite differences

    A proof says that the formula is right; a difference quotient says that the *function* computes it. Each entry is
    compared with the slope of the reported loss between two points at a distance $\varepsilon$ on either side:

    $$\frac{\partial l}{\partial a_c} \approx \frac{l(a + \varepsilon e(c)) - l(a - \varepsilon e(c))}{2 \varepsilon}$$
    """)
    return


@app.cell
def _(C, a, f, gradient, lw, mo, notes, np, y):
    eps = 1e-5
    there, back = np.concatenate([a + eps * np.eye(C), a - eps * np.eye(C)]).reshape(2, C, C)
    of_a = (notes.trace_output(there, [y] * C).losses - notes.trace_output(back, [y] * C).losses) / (2 * eps)
    near = f * eps * np.eye(C)  # a share of f, which may be small
    of_f = (np.log((f - near)[:, y]) - np.log((f + near)[:, y])) / (2 * f * eps)
    rows = zip(range(C), f, lw.loss_gradient_at_output(f, y), of_f, gradient, of_a, strict=True)
    mo.md(
        "| $c$ | $f_c$ | `loss_gradient_at_output` | by differences | `loss_gradient_at_preactivation` "
        "| by differences |\n"
        + "| :--- " * 6
        + "|\n"
        + "\n".join(f"| {c} | " + " | ".join(f"{value + 0.0:.6g}" for value in values) + " |" for c, *values in rows)
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The same for other outputs

    Two more outputs have the same gradient at the pre-activation, each for its own loss:

    $$\text{sigmoid, } l = -y \log f - (1 - y) \log(1 - f): \qquad
      \frac{\partial l}{\partial a} = \left(-\frac{y}{f} + \frac{1 - y}{1 - f}\right) f (1 - f) = f - y$$

    $$\text{identity, } l = \tfrac{1}{2} (f - y)^2: \qquad \frac{\partial l}{\partial a} = (f - y) \cdot 1 = f - y$$

    The factor that the loss divides by is the slope of the output function, so it cancels. With the squared error
    after a sigmoid it would not: there the gradient is $(f - y) f (1 - f)$, nearly 0 where the neuron is sure
    and wrong.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    place = mo.ui.slider(-6, 6, 0.1, value=-2, label="$a$", show_value=True)
    target = mo.ui.slider(0, 1, 1, value=1, label="$y$", show_value=True)
    mo.hstack([place, target], justify="start", gap=3)
    return place, target


@app.cell
def _(lw, notes, np, place, target):
    grid = np.linspace(-6, 6, 201)
    unpaired = lw.Output.own(lambda s, f, y: 0.5 * (f - y) ** 2, link="sigmoid")
    heads = {"sigmoid": "sigmoid", "identity": "identity", "sigmoid with squared error": unpaired}
    columns = notes.figure(10, 3.2, columns=3)
    for panel, (name, head) in zip(columns, heads.items(), strict=True):
        curve = notes.trace_output(grid[:, None], np.full((len(grid), 1), float(target.value)), head)
        here = notes.trace_output([place.value], target.value, head)
        slope, loss = here.grad_a[1][0, 0], here.losses[0]
        panel.plot(grid, curve.losses, color="#0072B2")
        panel.plot(place.value + np.array([-1.5, 1.5]), loss + slope * np.array([-1.5, 1.5]), color="#D55E00")
        panel.plot(place.value, loss, "o", color="#D55E00")
        panel.set(title=f"{name}\nslope {slope:.3f}, $f - y$ = {here.f[0, 0] - target.value:.3f}", xlabel="$a$")
        panel.set_ylim(-0.05 * curve.losses.max(), 1.1 * curve.losses.max())
    columns[0].set_ylabel("loss $l$")
    notes.show(panel, "The loss over the pre-activation for three outputs, each with its tangent.")
    return


@app.cell
def _(notes, place, target):
    # At 0 the two pieces of the stable formula meet, and a check there would be refused.
    notes.proof("other_outputs", numbers={"a": place.value or 1e-9, "y": target.value})
    return


@app.cell(hide_code=True)
def _(lw, notes, np):
    def makes_gradient(a_0, a_1):
        """Whether softmax of (a_0, a_1, 0) with y = 2 has the gradient (0.2, 0.5, -0.7)."""
        found = notes.trace_output([a_0, a_1, 0.0], 2).grad_a[1][0]
        shown = ", ".join(f"{value:.3g}" for value in found)
        return bool(np.abs(found - [0.2, 0.5, -0.7]).max() < 2e-3) or f"With those the gradient is $({shown})$."

    def slope_of_softmax(slope):
        """Whether it is the slope of f_0 along a_1, of softmax at three places."""
        for a in np.array([[0.3, -1.2, 0.8], [2.0, 1.5, 0.0], [-1.0, 0.4, 0.2]]):
            step = np.array([0, 1e-5, 0])
            there, back = notes.trace_output([a + step, a - step], [0, 0]).f
            f = notes.trace_output(a, 0).f[0]
            expected = (there - back)[0] / 2e-5
            if not abs(slope(f[0], f[1]) - expected) <= 1e-7:  # no number is wrong, too
                return (
                    f"With $f_y = {f[0]:.4f}$ and $f_c = {f[1]:.4f}$ the slope is ${expected:.4f}$, "
                    f"yours ${slope(f[0], f[1]):.4f}$."
                )
        return True

    def both_gradients(at_f, at_a):
        """Whether they are the entries y of both gradients where f_y = 0.001."""
        f = np.array([0.001, 0.999])
        right_f, right_a = lw.loss_gradient_at_output(f, 0)[0], lw.loss_gradient_at_preactivation(f, 0)[0]
        if abs(at_f - right_f) > 1e-6 * abs(right_f):
            return "The first is not $-1/f_y$."
        return abs(at_a - right_a) < 1e-6 or "The second is not $f_y - 1$."

    exercises = notes.Exercises(
        notes.Exercise(
            r"Three classes, $a = (a_0, a_1, 0)$, right class $y = 2$. Find $a_0$ and $a_1$ for which "
            r"$\nabla_a (-\log f_y) = (0.2, 0.5, -0.7)$.",
            {"a_0": notes.Number("$a_0$"), "a_1": notes.Number("$a_1$")},
            check=makes_gradient,
            answer={"a_0": "log(0.2/0.3)", "a_1": "log(0.5/0.3)"},
            wrong=[{"a_0": "log(0.2)", "a_1": "log(0.5)"}, {"a_0": "0.2", "a_1": "0.5"}],
            hint=r"First find $f$ from $f - e(y)$; then $f_c / f_2 = e^{a_c - a_2}$.",
            explanation=r"$f = (0.2, 0.5, 0.3)$, so $a_0 = \log(0.2/0.3)$ and $a_1 = \log(0.5/0.3)$.",
        ),
        notes.Exercise(
            r"Write the slope of softmax, $\partial f_y / \partial a_c$ for $c \neq y$, as a formula of $f_y$, $f_c$.",
            {"slope": notes.Formula("slope", ("f_y", "f_c"))},
            check=slope_of_softmax,
            answer={"slope": "-f_y*f_c"}, wrong=[{"slope": "f_y*f_c"}, {"slope": "f_y*(1 - f_c)"}, {"slope": "-f_c"}],
            hint="In line 4 the first term is 0 in this case; what is left is a product of two values of softmax.",
            explanation="More of $a_c$ takes from every other class, in proportion to what it has.",
        ),
        notes.Exercise(
            r"A network gives the right class the probability $f_y = 0.001$. What are the entries $y$ of the gradient "
            "at the output and of the one at the pre-activation?",
            {"at_f": notes.Number(r"$\partial l/\partial f_y$"), "at_a": notes.Number(r"$\partial l/\partial a_y$")},
            check=both_gradients,
            answer={"at_f": "-1000", "at_a": "-0.999"},
            wrong=[{"at_f": "-1000", "at_a": "-1000"}, {"at_f": "1000", "at_a": "-0.999"}, {"at_f": "-1", "at_a": "1"}],
            hint=r"Put $f_y$ into $-e(y)/f_y$ and into $f - e(y)$; mind the signs.",
            explanation="Softmax's slope $f_y (1 - f_y)$ is so small there that the product stays below 1.",
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
