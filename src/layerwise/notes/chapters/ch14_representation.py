import marimo

app = marimo.App(app_title="14 Representation learning", width="medium")


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
    # 14 Representation learning

    In [chapter 2](../features/) somebody had to think of the features $\phi(\mathbf{x})$ with which a line separates
    the classes. A network learns them. Its last step is a linear classifier on $\mathbf{h}^{(L)}$,

    $$\mathbf{f}(\mathbf{x}) = \mathbf{o}\big(\mathbf{b}^{(L+1)} + \mathbf{W}^{(L+1)}\, \phi(\mathbf{x})\big),
      \qquad \phi(\mathbf{x}) = \mathbf{h}^{(L)}(\mathbf{x}),
      \qquad \mathbf{h}^{(k)} = g\big(\mathbf{b}^{(k)} + \mathbf{W}^{(k)} \mathbf{h}^{(k-1)}\big),$$

    so the loss can only become small if the hidden layers bring the classes to opposite sides of a straight line. Each
    layer turns, stretches and shears the space (by $\mathbf{W}^{(k)}$), moves it (by $\mathbf{b}^{(k)}$) and bends it
    (by $g$).

    ## What hidden layers do to the space

    At the left the inputs and the decision; at the right the same points and a grid where layer $k$ takes them. Move
    the epochs and watch the space being pulled apart. With two units in the last hidden layer, the bent border at the
    left is a straight line at the right. One layer of 2 units can only bend the sheet; can it part the circles?
    """)
    return


@app.cell(hide_code=True)
def _(lw, mo):
    epoch = mo.ui.slider(steps=[0, 1, 2, 5, 10, 20, 30, 45, 60, 80, 100, 120, 140, 170, 200], value=100, label="epochs",
                         show_value=True)  # fmt: skip
    _toys = {
        "spirals": lw.analysis.spirals(300, noise=0.03, turns=1.25), "circles": lw.analysis.circles(300),
        "moons": lw.analysis.moons(300), "XOR": lw.analysis.xor(300),
    }  # fmt: skip
    _sizes = {"2": [2], "3": [3], "8": [8], "8, 2": [8, 2], "8, 8, 2": [8, 8, 2], "16, 16, 2": [16, 16, 2]}
    points = mo.ui.dropdown(_toys, value="spirals", label="data")
    hidden = mo.ui.dropdown(_sizes, value="8, 8, 2", label="hidden units")
    g = mo.ui.dropdown(["tanh", "sigmoid", "relu", "linear"], value="tanh", label="$g$")
    return epoch, g, hidden, points


@app.cell(hide_code=True)
def _(epoch, g, hidden, mo, points):
    layer = mo.ui.slider(0, len(hidden.value), value=len(hidden.value), label="layer $k$", show_value=True)
    mo.vstack([mo.hstack([epoch, layer], justify="start", gap=2),
               mo.hstack([points, hidden, g], justify="start", gap=2)])  # fmt: skip
    return (layer,)


@app.cell
def _(g, hidden, lw, points):
    X, y = points.value
    net = lw.Network(2, hidden.value, 2, hidden=g.value)
    thetas = [net.initialize(seed=0)]
    model = lw.fit(
        net, X, y, update=lw.Adam(0.03), epochs=200, seed=0,
        callbacks=lambda state: thetas.append(state.parameters.copy()),
    )  # fmt: skip
    return X, model, net, thetas, y


@app.cell
def _(X, epoch, layer, lw, net, notes, thetas, y):
    theta = thetas[epoch.value]
    plane, warped = notes.figure(10, 4.6, columns=2)
    lw.DecisionBoundary.from_network(net, theta, X, y, resolution=61, ax=plane)
    lw.HiddenSpaceDisplay.from_network(net, theta, X, y, layer=layer.value, ax=warped)
    notes.show(plane, "The decision over the inputs, and the points and a grid where the layer takes them.")
    return (theta,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Linear probes: what can be read from each layer

    How good is a representation? Freeze the network, train a **linear classifier on** $\mathbf{h}^{(k)}$ alone for
    each $k$, and measure it on rows that it has not seen ([Alain and Bengio 2016](https://arxiv.org/abs/1610.01644)).
    $\mathbf{h}^{(0)} = \mathbf{x}$ says how far one gets without any hidden layer. Below are the probes of the
    network above, at the epoch chosen there. Set the epochs to 0: random hidden layers hardly help, it is training
    that pulls the classes apart. Choose the linear $g$: nothing helps.
    """)
    return


@app.cell
def _(X, lw, net, notes, theta, y):
    probes = lw.analysis.linear_probes(net, theta, X, y, epochs=40)
    accuracy = (net.predict(theta, X).argmax(axis=1) == y).mean()
    bars = notes.figure(6.5, 2.6)
    names = [f"$h^{{({k})}}$" for k in range(net.L + 1)]
    bars.bar_label(bars.bar(names, probes.accuracy, width=0.5), fmt="%.2f", label_type="center", color="white")
    bars.axhline(accuracy, color="0.4", linestyle="--", linewidth=1, label=f"the network itself: {accuracy:.2f}")
    bars.set(ylim=(0, 1.3), yticks=[0, 0.5, 1], ylabel="accuracy of the probe")
    bars.legend(frameon=False, loc="upper left")
    notes.show(bars, "The accuracy of a linear classifier on each layer, as bars, beside the network's own.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Digits, layer by layer

    Images of $8 \times 8$ pixels are points in 64 dimensions. A network 64-$n$-$n$-10 is trained on three quarters of
    them; the pictures show the others. More than two units are projected to the two directions in which they vary
    most (their principal components; the title says how much of the variance that keeps). Layer by layer the digits
    gather into bundles: what the layers throw away is what does not tell digits apart. Bring your own table; the
    classes are the last column, or the one named target.
    """)
    return


@app.cell(hide_code=True)
def _(notes):
    own = notes.Upload(notes.Table.named("digits"), classes=True)
    file = own.button()
    file
    return file, own


@app.cell(hide_code=True)
def _(file, mo, np, own):
    table, _message = own.take(file)
    held_out = np.arange(len(table)) % 4 == 3
    past = mo.ui.slider(steps=[0, 1, 2, 3, 5, 8, 12, 20], value=8, label="epochs", show_value=True)
    units = mo.ui.slider(steps=[2, 4, 8, 16, 32, 64], value=16, label="units $n$", show_value=True)
    mo.vstack([_message, mo.hstack([past, units], justify="start", gap=2)])
    return held_out, past, table, units


@app.cell
def _(held_out, lw, table, units):
    deep = lw.Network(table.X.shape[1], [units.value, units.value], table.outputs, hidden="tanh")
    stages = [deep.initialize(seed=0)]
    deep_model = lw.fit(
        deep, table.X[~held_out], table.y[~held_out], update=lw.Adam(0.005), penalty=lw.L2(1e-3), epochs=20, seed=0,
        callbacks=lambda state: stages.append(state.parameters.copy()),
    )  # fmt: skip
    return deep, deep_model, stages


@app.cell
def _(deep, held_out, lw, notes, np, past, stages, table):
    stage = stages[past.value]
    shown = np.flatnonzero(held_out)[:250]
    classes = np.array(table.classes)[table.y[shown]]
    views = notes.figure(10, 3.9, columns=3)
    for k in range(3):
        view = lw.HiddenSpaceDisplay.from_network(
            deep, stage, table.X[shown], classes, layer=k, lines=0, ax=views[k], legend=False, title=""
        )
        kept = f": {100 * sum(view.shares):.0f} % of the variance" if view.shares else ""
        views[k].set_title(f"$h^{{({k})}}${kept}", fontsize="medium")
        views[k].set(xticks=[], yticks=[], xlabel="", ylabel="", aspect="auto")
    view.figure_.legend(handles=view.points.handles(), loc="outside lower center", ncols=10, frameon=False)
    notes.show(view, "Held-out rows as points, coloured by class, in the inputs and in both hidden layers.")
    return (stage,)


@app.cell(hide_code=True)
def _(deep, held_out, lw, mo, np, stage, table):
    _fit, _other = np.flatnonzero(~held_out)[:900], np.flatnonzero(held_out)[:500]
    try:
        _found = lw.analysis.linear_probes(
            deep, stage, table.X[_fit], table.y[_fit], validation=(table.X[_other], table.y[_other]), epochs=60
        )
        _own = (deep.predict(stage, table.X[_other]).argmax(axis=1) == table.y[_other]).mean()
        _shares = " | ".join(f"{100 * share:.1f} %" for share in [*_found.accuracy, _own])
        _names = r"$\mathbf{h}^{(0)} = \mathbf{x}$ | $\mathbf{h}^{(1)}$ | $\mathbf{h}^{(2)}$ | the network itself"
        said = mo.md(f"| read from | {_names} |\n|:--|--:|--:|--:|--:|\n| held-out rows right | {_shares} |")
    except lw.LayerwiseError as _problem:
        said = mo.md(f"No probes of these rows: {_problem}").callout(kind="warn")
    said
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    The digits are an easy case: a linear classifier on the pixels is right about 94 times in 100. Set $n = 4$ and
    move the epochs: from 4 random units a probe reads about half of the digits; from 4 trained ones six in seven,
    whatever else of the image was lost. With $n = 2$ the picture needs no projection.

    ### The first layer's weights as images

    Row $j$ of $\mathbf{W}^{(1)}$ has a weight for every pixel, so it is an image too: the pattern to which unit $j$
    responds most. At epoch 0 it is noise;
    where no digit has ink, the L2 penalty ([chapter 13](../regularisation/)) takes the weights to 0.
    """)
    return


@app.cell
def _(deep, lw, notes, stage, table):
    pixels = table.X.shape[1]
    filters = lw.FilterDisplay.from_network(
        deep, stage, shape=(8, 8) if pixels == 64 else (1, pixels), ax=notes.figure(6, 5), max_units=32
    )
    notes.show(filters, "The weights into each unit of the first hidden layer, as an image.")
    return


@app.cell(hide_code=True)
def _(mo):
    def rows(*lines):
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    _found = rows(
        ("year", "what", "by", "here"),
        (":--", ":--", ":--", ":--"),
        ("1958", "the perceptron, a neuron that learns", "Rosenblatt, *Psychological Review* 65",
         "[chapter 4](../neuron/)"),
        ("1986", "backpropagation learns hidden representations", "Rumelhart, Hinton, Williams, *Nature* 323",
         "[chapter 11](../backpropagation/)"),
        ("1989, 1991", "one hidden layer approximates every continuous function",
         "Cybenko, *Math. Control Signals Systems* 2; Hornik, *Neural Networks* 4", "[chapter 7](../approximation/)"),
        ("1998", "digits (MNIST): 4.7 % test error with 300 hidden units, 4.5 % with 1000, 0.95 % with LeNet-5, "
         "whose layers look at small patches", "LeCun, Bottou, Bengio, Haffner, *Proc. IEEE* 86", "below"),
        ("2010, 2011", "ReLU", "Nair, Hinton, *ICML*; Glorot, Bordes, Bengio, *AISTATS*",
         "[chapter 5](../activations/)"),
        ("2014", "dropout", "Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, *JMLR* 15",
         "`lw.Layer(100, dropout=0.5)`"),
        ("2015", "Adam", "Kingma, Ba, *ICLR*", "[chapter 12](../descent/)"),
    )  # fmt: skip
    _measured = rows(
        ("data", "network", "error here", "published"),
        (":--", ":--", "--:", ":--"),
        ("MNIST: 60 000 images", "784-100-100-10, ReLU, dropout 0.2, Adam, 4 epochs", "3.5 % (test)",
         "4.7 % (LeCun 1998, 784-300-10)"),
        ("3 000 of them, as the course 10-707 gives out", "784-100-10, sigmoid, one example at a time, 30 epochs",
         "8.4 % (test), 6.9 % (validation)", "no paper"),
    )  # fmt: skip
    mo.md(
        "## Important breakthroughs\n\nWhat had to be found before a page such as this one could be written.\n\n"
        f"{_found}\n\nMeasured with this engine (the commands are in the repository's `docs/progress.md`):\n\n"
        f"{_measured}"
    )
    return


@app.cell(hide_code=True)
def _(lw, notes, np):
    _corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])

    def separates_xor(w_1, w_2, b):
        """Whether the output of a 2-2-1 network with ReLU is positive at (0, 1) and (1, 0) only."""
        relu = lw.Network(2, [2], 1, hidden="relu", output="sigmoid")
        at = relu.initialize(seed=0, dtype="float64")
        at.W[1][...], at.b[1][...] = [[1, 1], [1, 1]], [0, -1]
        at.W[2][...], at.b[2][...] = [[w_1, w_2]], [b]
        a = relu.trace(at, _corners, [0, 1, 1, 0]).a[2][:, 0]
        wrong = [f"({p:g}, {q:g})" for (p, q), sign in zip(_corners, a * [-1, 1, 1, -1], strict=True) if sign <= 0]
        return not wrong or f"The output is on the wrong side, or on the line, at {', '.join(wrong)}."

    def right_share(count, width):
        """The best share of points inside and outside right that `count` tanh units reach from three starts."""
        rows, inside = lw.analysis.circles(200)
        ring = lw.Network(2, [count], 2, hidden=width)
        runs = [lw.fit(ring, rows, inside, update=lw.Adam(0.05), epochs=150, seed=seed) for seed in range(3)]
        return max(run.evaluate(rows, inside).metric for run in runs)

    def fewest(n):
        """Whether n tanh units separate circles, and one unit less does not."""
        if n not in range(1, 21):
            return "It is a small whole number."
        if (share := right_share(int(n), "tanh")) < 1:
            return f"With {n:g} the best of three runs has {100 * share:.0f} % right."
        return n == 1 or right_share(int(n) - 1, "tanh") < 1 or f"{n:g} do it, but fewer do it too."

    def linear_helps(answer):
        """Whether the answer is what 50 linear units reach."""
        return (right_share(50, "linear") > 0.95) == (answer != "none, ever")

    exercises = notes.Exercises(
        notes.Exercise(
            "Two ReLU units, $h_1 = \\max(0, x_1 + x_2)$ and $h_2 = \\max(0, x_1 + x_2 - 1)$, take the corners of XOR, "
            "$(0,0)$, $(0,1)$, $(1,0)$ and $(1,1)$, to $(0,0)$, $(1,0)$, $(1,0)$ and $(2,1)$. Find an output "
            "$a = b + w_1 h_1 + w_2 h_2$ that is positive where exactly one input is 1, and negative elsewhere.",
            {"w_1": notes.Number("$w_1$"), "w_2": notes.Number("$w_2$"), "b": notes.Number("$b$")},
            check=separates_xor,
            answer={"w_1": "1", "w_2": "-2", "b": "-1/2"},
            wrong=[{"w_1": "1", "w_2": "1", "b": "-1/2"}, {"w_1": "1", "w_2": "-2", "b": "0"}],
            hint="Draw the three places; a line has to part $(1, 0)$ from $(0, 0)$ and $(2, 1)$.",
            explanation="The hidden layer has laid two corners on one point; then a line is enough.",
        ),
        notes.Exercise(
            "How many tanh units does one hidden layer need at least, so that a straight line in $h^{(1)}$ parts the "
            "inner circle from the outer one? (The check trains networks.)",
            {"n": notes.Number("units")},
            check=fewest,
            answer={"n": "3"}, wrong=[{"n": "2"}, {"n": "5"}],
            hint="Choose circles above and try 2 and 3 units. Can bending a sheet without tearing it free a ring?",
            explanation="Two units map the plane into a plane, continuously and (as tanh rises) without folding, so "
            "the inner circle stays surrounded. A third dimension lifts it out.",
        ),
        notes.Exercise(
            "With $g(a) = a$ in all hidden layers: how many units or layers does it take before a linear probe tells "
            "the circles apart?",
            {"answer": notes.Choice("", ("50 units", "two layers", "many of both", "none, ever"))},
            check=linear_helps,
            answer={"answer": "none, ever"}, wrong=[{"answer": "50 units"}, {"answer": "many of both"}],
            hint=r"Insert $\mathbf{h}^{(1)} = \mathbf{b}^{(1)} + \mathbf{W}^{(1)} \mathbf{x}$ into the probe.",
            explanation="A linear function of a linear function of $\\mathbf{x}$ is one of $\\mathbf{x}$, and "
            "$\\mathbf{h}^{(0)} = \\mathbf{x}$ does not separate circles.",
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
