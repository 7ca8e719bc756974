import marimo

app = marimo.App(app_title="6 Capacity of a neuron", width="medium")


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
    # 6 Capacity of a neuron

    What can **one** neuron compute? Take inputs $x_1, x_2$ that are 0 or 1, and $g(a) = 1_{\{a > 0\}}$:

    $$h(\mathbf{x}) = 1_{\{b + w_1 x_1 + w_2 x_2 > 0\}}.$$

    The inputs are the four corners of a square, and the neuron draws one line through the plane: it says 1 on one side
    and 0 on the other. A function can be had exactly if a line separates its ones from its zeros
    ([chapter 2](../features/)). There are $2^{2^2} = 16$ functions of two such inputs; choose one, and try to get it
    with your own line.
    """)
    return


@app.cell(hide_code=True)
def _(lw, mo):
    names = ["never", "AND", "x_1 and not x_2", "x_1", "x_2 and not x_1", "x_2", "XOR", "OR", "NOR", "equal (not XOR)",
             "not x_2", "x_1 or not x_2", "not x_1", "x_2 or not x_1", "NAND", "always"]  # fmt: skip
    corners = lw.analysis.boolean_inputs(2)  # 00, 01, 10, 11
    wanted = mo.ui.dropdown(names, value="AND", label="the function")
    w_1 = mo.ui.slider(-2, 2, 0.1, value=1, label="$w_1$", show_value=True)
    w_2 = mo.ui.slider(-2, 2, 0.1, value=-0.5, label="$w_2$", show_value=True)
    b = mo.ui.slider(-3, 3, 0.1, value=-0.2, label="$b$", show_value=True)
    mo.hstack([wanted, w_1, w_2, b], justify="start", gap=2, wrap=True)
    return b, corners, names, w_1, w_2, wanted


@app.cell
def _(lw, names, np, wanted):
    code = names.index(wanted.value)
    table = np.array([code >> 3 & 1, code >> 2 & 1, code >> 1 & 1, code & 1])  # outputs of 00, 01, 10, 11
    neuron = lw.analysis.find_weights(table)  # exact: weights, or a proof that there are none
    return neuron, table


@app.cell(hide_code=True)
def _(b, corners, lw, neuron, notes, np, table, w_1, w_2, wanted):
    def mine(rows):
        """The reader's neuron."""
        return (rows @ [w_1.value, w_2.value] + b.value > 1e-9).astype(float)  # a slider's 0 need not be exact

    found_ax, mine_ax = notes.figure(9, 3.8, columns=2)
    _style = {"limits": (-0.5, 1.5), "resolution": 201, "colorbar": False, "point_size": 90,
              "class_names": ["0", "1"]}  # fmt: skip
    _decide = neuron if neuron.separable else lambda rows: np.full(len(rows), 0.5)
    _title = "a neuron found" if neuron.separable else "no line: the cross is the mean of both classes"
    lw.DecisionBoundary.from_function(_decide, corners, table, ax=found_ax, legend=False, title=_title, **_style)
    if neuron.witness is not None:
        found_ax.plot(*(neuron.witness[table == 1] @ corners[table == 1]), "kx", markersize=12, markeredgewidth=3)
    lw.DecisionBoundary.from_function(mine, corners, table, ax=mine_ax, legend=False, title="your neuron", **_style)
    _right = mine(corners) == table
    for _ax in (found_ax, mine_ax):
        _ax.set(xticks=[0, 1], yticks=[0, 1])
    for _corner, _is_right in zip(corners, _right, strict=True):
        mine_ax.annotate("right" if _is_right else "wrong", _corner, (0, -17), textcoords="offset points", ha="center",
                         color="green" if _is_right else "red", fontweight="bold")  # fmt: skip
    notes.show(found_ax, f"The corners with the outputs of {wanted.value}, a neuron found, and the reader's neuron.")
    return (mine,)


@app.cell(hide_code=True)
def _(b, corners, mine, mo, neuron, table, w_1, w_2, wanted):
    _rows = "\n".join(
        f"| {int(_x[0])} | {int(_x[1])} | {_y} | {_x[0] * w_1.value + _x[1] * w_2.value + b.value:.1f} "
        f"| {int(_h)} {'✓' if _h == _y else '✗'} |"
        for _x, _y, _h in zip(corners, table, mine(corners), strict=True)
    )
    _said = (
        f"Found: $w_1 = {neuron.w[0]:g}$, $w_2 = {neuron.w[1]:g}$, $b = {neuron.b:g}$. Every other line with "
        "the ones on its positive side and the zeros on the other does as well."
        if neuron.separable
        else f"**No neuron computes {wanted.value}.** The proof is the cross: it is half way between the two corners "
        "with 1, and half way between the two corners with 0. At the middle of two corners $a$ is the mean of its "
        "values there. So it would have to be positive at the cross, and at most 0 as well."
    )
    mo.hstack([
        mo.md(f"| $x_1$ | $x_2$ | {wanted.value} | your $a$ | your $h$ |\n|---|---|---|---|---|\n{_rows}"),
        mo.md(_said).callout(kind="success" if neuron.separable else "warn"),
    ], widths=[1, 1.4], align="center", gap=2)  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Why XOR cannot be had

    The same proof in four lines. XOR would need

    $$\begin{aligned}
      b &\le 0 & & (0, 0) \\
      b + w_2 &> 0 & & (0, 1) \\
      b + w_1 &> 0 & & (1, 0) \\
      b + w_1 + w_2 &\le 0 & & (1, 1)
    \end{aligned}$$

    The first and the last add up to $2b + w_1 + w_2 \le 0$, the two in the middle to $2b + w_1 + w_2 > 0$.

    ## How many functions can be had

    Of the $2^{2^n}$ functions of $n$ inputs that are 0 or 1, this many have a neuron; the library has just gone
    through all of them, and found weights or a proof for each:
    """)
    return


@app.cell
def _(lw):
    counts = {n: lw.analysis.count_neurons(n) for n in (1, 2, 3)}
    return (counts,)


@app.cell(hide_code=True)
def _(counts, mo):
    _rows = "\n".join(f"| {n} | {2 ** (2**n)} | {one} | {one / 2 ** (2**n):.1%} |" for n, one in counts.items())
    mo.md(
        f"| inputs $n$ | functions $2^{{2^n}}$ | of one neuron | share |\n|---|---|---|---|\n{_rows}\n\n"
        "The share falls fast: with four inputs it is 1882 of 65 536, not 3 % (Muroga 1971)."
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## One hidden layer is enough

    XOR is *OR, but not AND*. So let two hidden neurons compute OR and AND, and the output subtract:

    $$h_1 = 1_{\{x_1 + x_2 - \frac{1}{2} > 0\}}, \qquad
      h_2 = 1_{\{x_1 + x_2 - \frac{3}{2} > 0\}}, \qquad
      f = h_1 - h_2.$$

    The hidden layer **moves the corners**: $(0, 1)$ and $(1, 0)$ come to lie on each other, and of the three points
    that remain a line separates the one in the middle. In the same way one hidden layer computes *any* boolean
    function: a neuron for each row of the truth table that has a 1, and OR of them.
    """)
    return


@app.cell
def _(corners, lw, notes):
    either = [0, 1, 1, 0]
    by_hand = lw.analysis.xor_network()  # the network and its parameters
    plane, moved = notes.figure(9, 3.8, columns=2)
    lw.DecisionBoundary.from_function(
        lambda rows: by_hand[0].predict(by_hand[1], rows)[:, 0], corners, either, limits=(-0.5, 1.5), ax=plane,
        resolution=201, colorbar=False, legend=False, point_size=90, title="f over the inputs",
    )  # fmt: skip
    lw.HiddenSpaceDisplay.from_network(*by_hand, corners, either, lines=0, legend=False, s=90, ax=moved)
    moved.axline((0.5, 0.0), (1.0, 0.5), color="black", linewidth=1.4)  # f = h_1 - h_2 = 1/2
    moved.set(xlabel="h_1, OR", ylabel="h_2, AND", xlim=(-0.2, 1.2), ylim=(-0.2, 1.2), xticks=[0, 1], yticks=[0, 1])
    moved.set_title("three points in the hidden layer", fontsize="medium")
    notes.show(plane, "XOR by hand: a strip between two lines, and three points in the space of the hidden layer.")
    return (either,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Can it be learned?

    That weights exist does not say that gradient descent finds them. Here networks with 1 to 4 hidden units learn XOR
    from different random beginnings, in 500 updates with all four rows each. A network succeeds if it is right in all
    four corners.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    tries = mo.ui.slider(5, 20, value=20, label="beginnings", show_value=True)
    g = mo.ui.dropdown(["tanh", "sigmoid", "relu"], value="tanh", label="$g$")
    rate = mo.ui.slider(steps=[0.003, 0.01, 0.03, 0.1, 0.3], value=0.03, label="rate of Adam", show_value=True)
    mo.hstack([tries, g, rate], justify="start", gap=2)
    return g, rate, tries


@app.cell
def _(corners, either, g, lw, np, rate, tries):
    rows, targets = np.tile(corners, (50, 1)), np.tile(either, 50)[:, None]  # an epoch is 50 updates with all rows
    learned = {
        units: lw.fit_many(
            lw.Network(2, [units], 1, hidden=g.value, output="sigmoid"), rows, targets, seeds=tries.value,
            update=lw.Adam(rate.value), batch_size=4, epochs=10, shuffle=False,
        )
        for units in (1, 2, 3, 4)
    }  # fmt: skip
    correct = {
        units: [bool(((model.predict(corners)[:, 0] > 0.5) == either).all()) for model in models]
        for units, models in learned.items()
    }
    return correct, learned


@app.cell(hide_code=True)
def _(correct, mo, tries):
    units = mo.ui.slider(1, 4, value=2, label="look at: hidden units", show_value=True)
    seed = mo.ui.slider(0, tries.value - 1, value=0, label="beginning", show_value=True)
    _marks = "\n".join(
        f"| {one} | {sum(right)} of {len(right)} | {''.join('●' if each else '○' for each in right)} |"
        for one, right in correct.items()
    )
    mo.vstack([
        mo.md(f"| hidden units | succeed | beginning 0, 1, 2, ... |\n|---|---|---|\n{_marks}"),
        mo.hstack([units, seed], justify="start", gap=2),
    ])  # fmt: skip
    return seed, units


@app.cell(hide_code=True)
def _(corners, correct, either, learned, lw, notes, seed, units):
    _model = learned[units.value][seed.value]
    region, warped = notes.figure(9, 3.8, columns=2)
    lw.DecisionBoundary.from_network(
        _model.network, _model.parameters, corners, either, limits=(-0.5, 1.5), resolution=81, colorbar=False,
        legend=False, point_size=90, ax=region,
        title=f"{'right in all corners' if correct[units.value][seed.value] else 'stuck'}, "
        f"loss {_model.history[-1].train_loss:.3f}",
    )  # fmt: skip
    lw.HiddenSpaceDisplay.from_network(
        _model.network, _model.parameters, corners, either, limits=(-0.5, 1.5), legend=False, s=90, ax=warped
    )
    notes.show(region, "What a learned network decides, and where its hidden layer takes the corners and the plane.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    With one hidden unit nobody succeeds: $f$ is still constant along lines. Two can do it, and often get stuck: mostly
    at a loss of $\frac{1}{2} \log 2 = 0.347$, where two corners are right, two are undecided with $f = \frac{1}{2}$,
    and the gradient is nearly zero; ten times as many updates hardly help. ReLU gets stuck more often, as a unit that
    is 0 in all corners has gradient 0. More units than are needed make success likely: some of them begin in the right
    place. Compare a network that is stuck with one that succeeds: in its hidden space, can a line separate the corners?

    What more units can do for functions of real numbers is the theme of [chapter 7](../approximation/).
    """)
    return


@app.cell(hide_code=True)
def _(lw, notes, np):
    def computes(table):
        """A check of weights against a truth table."""

        def check(w_1, w_2, b):
            a = lw.analysis.boolean_inputs(2) @ [w_1, w_2] + b
            wrong = [f"({i >> 1}, {i & 1})" for i in np.flatnonzero((a > 0) != np.array(table))]
            return f"It is wrong at {', '.join(wrong)}." if wrong else True

        return check

    def output_of_xor(w_1, w_2, b):
        """Whether these weights make XOR of OR and NAND."""
        either_of, not_both = (lw.analysis.find_weights(table) for table in ([0, 1, 1, 1], [1, 1, 1, 0]))
        h = np.column_stack([lw.analysis.truth_table(either_of), lw.analysis.truth_table(not_both)])
        given = (h @ [w_1, w_2] + b > 0).astype(int).tolist()
        return given == [0, 1, 1, 0] or f"For the inputs 00, 01, 10, 11 it gives {given}."

    _fields = {"w_1": notes.Number("$w_1$"), "w_2": notes.Number("$w_2$"), "b": notes.Number("$b$")}
    exercises = notes.Exercises(
        notes.Exercise(
            "Give a neuron that computes NAND: 0 only if both inputs are 1.",
            _fields, check=computes([1, 1, 1, 0]),
            answer={"w_1": "-1", "w_2": "-1", "b": "3/2"},
            wrong=[{"w_1": "1", "w_2": "1", "b": "-3/2"}, {"w_1": "-1", "w_2": "-1", "b": "1/2"}],
            hint="What do you get from AND when all signs are turned?",
            explanation="The line is that of AND, with the other side positive. Every function of any number of inputs "
            "can be put together from NAND.",
        ),
        notes.Exercise(
            "How many of the 16 functions of two inputs does one neuron compute?",
            {"count": notes.Number("functions")},
            check=lambda count: count == lw.analysis.count_neurons(2),
            answer={"count": "14"}, wrong=[{"count": "15"}, {"count": "16"}, {"count": "8"}],
            hint="Go through the list above. Which of them put equal values on opposite corners?",
            explanation="All but XOR and its negation. The constants count: $w = 0$ and a bias of the right sign.",
        ),
        notes.Exercise(
            "The hidden units are $h_1$ = OR and $h_2$ = **NAND**. Give an output neuron, "
            r"$1_{\{b + w_1 h_1 + w_2 h_2 > 0\}}$, with which the network computes XOR.",
            _fields, check=output_of_xor,
            answer={"w_1": "1", "w_2": "1", "b": "-3/2"},
            wrong=[{"w_1": "1", "w_2": "-1", "b": "-1/2"}, {"w_1": "1", "w_2": "1", "b": "-1/2"}],
            hint="XOR: one of them, and not both.",
            explanation="XOR is the AND of OR and NAND.",
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
