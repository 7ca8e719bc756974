import marimo

app = marimo.App(app_title="4 The artificial neuron", width="medium")


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
    # 4 The artificial neuron

    A neuron adds up its inputs, each times a weight, and a bias; then it squashes the sum:

    $$a(\mathbf{x}) = b + \sum_i w_i x_i = b + \mathbf{w}^\top \mathbf{x}
      \qquad\qquad
      h(\mathbf{x}) = g\big(a(\mathbf{x})\big)$$

    $a$ is the **pre-activation**, $h$ the **activation**, $g$ the **activation function**. Over two inputs, $h$ is a
    *ridge*: constant along one direction, and shaped like $g$ across it.

    - $\mathbf{w}$ gives the **direction** of the ridge (it points across it) and, by its length, how steep it is;
    - $b$ changes its **position** only: $a = 0$ lies at the distance $-b/\lVert\mathbf{w}\rVert$ from the origin;
    - $g$ determines the **range** of the values.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    w_1 = mo.ui.slider(-3, 3, 0.1, value=2, label="$w_1$", show_value=True)
    w_2 = mo.ui.slider(-3, 3, 0.1, value=1, label="$w_2$", show_value=True)
    b = mo.ui.slider(-5, 5, 0.1, value=-1, label="$b$", show_value=True)
    g = mo.ui.dropdown(["sigmoid", "tanh", "relu", "softplus", "gelu", "linear"], value="sigmoid", label="$g$")
    mo.hstack([w_1, w_2, b, g], justify="start", gap=2)
    return b, g, w_1, w_2


@app.cell
def _(b, g, lw, notes, w_1, w_2):
    ridge, cut = notes.figure(10, 4, columns=2)
    lw.RidgeDisplay.from_neuron([w_1.value, w_2.value], b.value, g.value, ax=ridge, resolution=81)
    lw.RidgeDisplay.from_neuron([w_1.value, w_2.value], b.value, g.value, features=0, ax=cut)
    notes.show(ridge, "The neuron's response over two inputs, and along the first of them.")
    return


@app.cell(hide_code=True)
def _(b, mo, np, w_1, w_2):
    length = float(np.hypot(w_1.value, w_2.value))
    where = (
        f"The line $a = 0$ lies at ${-b.value / length:.2f}$ along the direction of $\\mathbf{{w}}$, "
        f"$({w_1.value / length:.2f}, {w_2.value / length:.2f})$; across it the sum grows by "
        f"$\\lVert\\mathbf{{w}}\\rVert = {length:.2f}$ for each step of length 1."
        if length
        else "With $\\mathbf{w} = 0$ there is no ridge: the neuron says $g(b)$ everywhere."
    )
    mo.md(where)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## A neuron that learns

    With the sigmoid as $g$ and the negative log-likelihood as loss, one neuron is **logistic regression**. The arrow
    is its weights, the line is where it changes its mind. Bring your own table: the page takes its first two numbers,
    and whether the class is the first one.
    """)
    return


@app.cell(hide_code=True)
def _(notes):
    own = notes.Upload(notes.Table.named("iris"), inputs=2, classes=True)
    file = own.button()
    file
    return file, own


@app.cell(hide_code=True)
def _(file, mo, own):
    table, message = own.take(file)
    which = mo.ui.dropdown(dict(zip(table.classes, range(len(table.classes)), strict=True)), value=table.classes[0],
                           label="the class to tell from the rest")  # fmt: skip
    rate = mo.ui.slider(steps=[0.001, 0.01, 0.1, 1, 10], value=0.1, label=r"rate $\alpha$", show_value=True)
    epochs = mo.ui.slider(1, 50, value=5, label="epochs", show_value=True)
    mo.vstack([message, mo.hstack([which, rate, epochs], justify="start", gap=2)])
    return epochs, rate, table, which


@app.cell
def _(epochs, lw, notes, rate, table, which):
    data = table.against_rest(which.value)
    net = lw.Network(2, [], 1, output="sigmoid")
    model = lw.fit(net, data.X, data.y, update=lw.SGD(rate.value), batch_size=1, epochs=epochs.value, seed=0)
    ax = notes.figure(6.5, 4.5)
    lw.DecisionBoundary.from_network(
        net, model.parameters, data.X, data.y, feature_names=data.features, class_names=data.classes, ax=ax
    )
    notes.show(ax, "The neuron's decision over the two inputs, with the rows as points.")
    return (model,)


@app.cell(hide_code=True)
def _(mo, model):
    (learned_w,), (learned_b,) = model.parameters.W[1], model.parameters.b[1]
    mo.md(
        f"$\\mathbf{{w}} = ({learned_w[0]:.2f}, {learned_w[1]:.2f})$, $b = {learned_b:.2f}$, "
        f"mean loss ${model.history[-1].train_loss:.3f}$ in the last epoch."
    )
    return


@app.cell(hide_code=True)
def _(notes, np):
    def line_through(w_1, w_2, b):
        """Whether a = 0 at (2, 0) and (3, 1)."""
        if w_1 == w_2 == 0:
            return "With both weights 0 there is no ridge."
        values = np.array([[2, 0], [3, 1]]) @ [w_1, w_2] + b
        return (
            bool(np.abs(values).max() < 1e-6 * np.hypot(w_1, w_2))
            or f"There $a$ is {values[0]:.3g} and {values[1]:.3g}."
        )

    exercises = notes.Exercises(
        notes.Exercise(
            r"What does a neuron with the sigmoid say at $\mathbf{x} = (1, 2)$ if $\mathbf{w} = (2, -1)$ and $b = 1$?",
            {"h": notes.Number("$h$")},
            check=lambda h: abs(h - 1 / (1 + np.exp(-1))) < 5e-3,
            answer={"h": "1/(1 + exp(-1))"}, wrong=[{"h": "1"}, {"h": "0.5"}],
            hint=r"First $a = b + w_1 x_1 + w_2 x_2$, then $g(a) = 1/(1 + e^{-a})$.",
            explanation=r"$a = 1 + 2 - 2 = 1$ and $g(1) = 1/(1 + e^{-1}) = 0.731$.",
        ),
        notes.Exercise(
            "Find weights and a bias with which $a = 0$ on the line through $(2, 0)$ and $(3, 1)$.",
            {"w_1": notes.Number("$w_1$"), "w_2": notes.Number("$w_2$"), "b": notes.Number("$b$")},
            check=line_through,
            answer={"w_1": "1", "w_2": "-1", "b": "-2"},
            wrong=[{"w_1": "1", "w_2": "1", "b": "-2"}, {"w_1": "0", "w_2": "0", "b": "0"}],
            hint=r"$\mathbf{w}$ is perpendicular to the line; then $b$ follows from one of the points.",
            explanation="So is every multiple of it: the line stays, the ridge gets steeper.",
        ),
        notes.Exercise(
            "Which of these moves the ridge without turning it or making it steeper?",
            {"what": notes.Choice("", ("another w", "another b", "another g", "twice w and twice b"))},
            check=lambda what: what == "another b",
            answer={"what": "another b"}, wrong=[{"what": "another w"}, {"what": "twice w and twice b"}],
            hint=r"The line lies at $-b/\lVert\mathbf{w}\rVert$ from the origin.",
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
