import marimo

app = marimo.App(app_title="8 The network with L hidden layers", width="medium")


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
    # 8 The network with L hidden layers

    Neurons side by side make a layer ([chapter 4](../neuron/)), layers one after the other a network. With
    $\mathbf{h}^{(0)}(\mathbf{x}) = \mathbf{x}$, the network with $L$ hidden layers is

    $$\begin{aligned}
    \mathbf{a}^{(k)}(\mathbf{x}) &= \mathbf{b}^{(k)} + \mathbf{W}^{(k)} \mathbf{h}^{(k-1)}(\mathbf{x})
      && \text{pre-activation, } k = 1, \dots, L+1 \\
    \mathbf{h}^{(k)}(\mathbf{x}) &= g\big(\mathbf{a}^{(k)}(\mathbf{x})\big)
      && \text{hidden activation, } k = 1, \dots, L \\
    \mathbf{h}^{(L+1)}(\mathbf{x}) &= o\big(\mathbf{a}^{(L+1)}(\mathbf{x})\big) = \mathbf{f}(\mathbf{x})
      && \text{output}
    \end{aligned}$$

    Row $i$ of $\mathbf{W}^{(k)}$ holds the weights of neuron $i$ of layer $k$, so $\mathbf{W}^{(k)}$ has a row for each
    unit of its layer and a column for each unit below. All of them together are the parameters
    $\theta = (\mathbf{W}^{(1)}, \mathbf{b}^{(1)}, \dots, \mathbf{W}^{(L+1)}, \mathbf{b}^{(L+1)})$.

    ## Depth and width

    Four inputs, three classes. Blue lines are weights above 0, orange ones below; thick lines are large weights.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    depth = mo.ui.slider(0, 6, 1, value=2, label="hidden layers $L$", show_value=True)
    width = mo.ui.slider(1, 30, 1, value=5, label="units in each", show_value=True)
    seed = mo.ui.slider(0, 20, 1, value=0, label="seed", show_value=True)
    mo.hstack([depth, width, seed], justify="start", gap=2)
    return depth, seed, width


@app.cell
def _(depth, lw, notes, seed, width):
    small = lw.Network(4, [width.value] * depth.value, 3)
    theta = small.initialize(seed=seed.value)
    picture = notes.draw_network(notes.figure(9, 4), small.sizes, theta.W)
    notes.show(picture, "The network's units in columns, from the inputs to the outputs, with its weights as lines.")
    return small, theta


@app.cell(hide_code=True)
def _(mo, small):
    _rows = [
        f"| $\\mathbf{{{s.name}}}^{{({s.k})}}$ | {' x '.join(map(str, s.shape))} | {s.stop - s.start} "
        f"| `theta.{s.name}[{s.k}]` | `theta.vector[{s.start}:{s.stop}]` |"
        for s in small.segments
    ]
    mo.md("\n".join(
        ["| array | shape | numbers | by name | in the vector |", "| :--- | :--- | :--- | :--- | :--- |", *_rows,
         f"| all | | **{small.n_parameters}** | `theta` | `theta.vector` |"]
    ))  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    A layer of $d$ units above one of $d'$ has $d\,d' + d$ parameters. Double the width: between hidden layers the
    number grows fourfold, at the ends twofold. Add a layer: the number grows by the same amount each time.

    ## One vector, many views

    $\theta$ is *one* vector in memory, and `theta.W[k]` and `theta.b[k]` are views of it: no copies. An update rule
    needs to know no layers, it moves the vector. Here the biases of layer 1 are written by name, and the vector
    shows it.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    bias = mo.ui.slider(-1, 1, 0.1, value=0.8, label="all biases of layer 1", show_value=True)
    mo.hstack([bias], justify="start")
    return (bias,)


@app.cell
def _(bias, notes, np, small, theta):
    moved = theta.copy()
    moved.b[1][...] = bias.value

    strip = notes.figure(10, 2.6)
    for name, color in (("W", "#0072B2"), ("b", "#D55E00")):
        own = [segment for segment in small.segments if segment.name == name]
        entries = np.concatenate([np.arange(segment.start, segment.stop) for segment in own])
        strip.vlines(entries, 0, moved.vector[entries], color=color, linewidth=max(0.8, 250 / small.n_parameters))
        for segment in own:
            if segment.stop - segment.start > small.n_parameters / 20:
                middle = (segment.start + segment.stop) / 2
                strip.text(middle, 1.3, f"${name}^{{({segment.k})}}$", ha="center", color=color)
    strip.vlines([segment.start - 0.5 for segment in small.segments], -1.6, 1.6, color="0.8", linewidth=0.8)
    strip.set(xlabel="entry of theta.vector", ylim=(-1.6, 1.6), xlim=(-1, small.n_parameters))
    notes.show(strip, "All parameters as one vector, weights in blue and biases in orange.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Every value of a digit, by name

    A network learns to read digits: $8 \times 8$ pixels in, ten classes out. It is trained on the first 1400 of them
    by the engine, while you wait. Then take a digit that it has not seen, and look at anything that is computed on the
    way up ($\mathbf{a}$, $\mathbf{h}$, $\mathbf{f}$) and on the way down (the gradients, of which
    [chapter 11](../backpropagation/) tells).
    """)
    return


@app.cell(hide_code=True)
def _(mo, notes):
    digits = notes.Table.named("digits")
    layers = mo.ui.slider(1, 4, 1, value=2, label="hidden layers $L$", show_value=True)
    units = mo.ui.slider(4, 64, 4, value=32, label="units in each", show_value=True)
    g = mo.ui.dropdown(["relu", "sigmoid", "tanh", "gelu"], value="relu", label="$g$")
    epochs = mo.ui.slider(0, 15, 1, value=5, label="epochs", show_value=True)
    mo.hstack([layers, units, g, epochs], justify="start", gap=2)
    return digits, epochs, g, layers, units


@app.cell
def _(digits, epochs, g, layers, lw, units):
    net = lw.Network(64, [units.value] * layers.value, 10, hidden=g.value)
    learned = net.initialize(seed=0)
    if epochs.value:
        learned = lw.fit(
            net, digits.X[:1400], digits.y[:1400], update=lw.Adam(0.005), batch_size=32, epochs=epochs.value, seed=0
        ).parameters
    unseen_X, unseen_y = digits.X[1400:], digits.y[1400:]
    accuracy = (net.predict(learned, unseen_X).argmax(axis=1) == unseen_y).mean()
    return accuracy, learned, net, unseen_X, unseen_y


@app.cell(hide_code=True)
def _(accuracy, mo, net, unseen_y):
    mo.md(
        f"{'-'.join(map(str, net.sizes))}, {net.n_parameters:,} parameters: "
        f"{accuracy:.1%} of {len(unseen_y)} digits that it has not seen are read rightly."
    )
    return


@app.cell(hide_code=True)
def _(digits, layers, lw, mo, np):
    # From a network as deep as the one that learns, so that training again leaves the reader's choice as it is.
    _alike = lw.Network(64, [2] * layers.value, 10)
    _names = _alike.trace(_alike.initialize(), digits.X[:1], digits.y[:1]).quantities()
    _arrays = [name for name, values in _names.items() if np.size(values) > 1]
    which = mo.ui.slider(0, len(digits) - 1401, 1, value=8, label="digit", show_value=True)
    chosen = mo.ui.dropdown(_arrays, value="h[1]", label="value")
    mo.hstack([which, chosen], justify="start", gap=2)
    return chosen, which


@app.cell
def _(chosen, learned, net, notes, np, unseen_X, unseen_y, which):
    i = [which.value]
    trace = net.trace(learned, unseen_X[i], unseen_y[i])
    values = trace.quantities()[chosen.value]
    said, right = trace.f[0].argmax(), unseen_y[which.value]

    digit, ax = notes.figure(10, 3.6, columns=2, width_ratios=(1, 2.2))
    digit.imshow(trace.h[0].reshape(8, 8), cmap="gray_r")
    digit.set(title=f"a {right}, read as {said} ({trace.f[0, said]:.1%})", xticks=[], yticks=[])
    largest = np.abs(values).max() or 1.0
    pixels = chosen.value in ("h[0]", "grad_h[0]")
    values = values.reshape(8, 8) if pixels else values
    if len(values) > 1 and values.ndim == 2:
        image = ax.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="equal" if pixels else "auto")
        ax.figure.colorbar(image, ax=ax)
        ax.set(xlabel="column" if pixels else "unit below", ylabel="row" if pixels else "unit")
    else:
        ax.bar(range(values.size), values.ravel(), color=np.where(values.ravel() < 0, "#D55E00", "#0072B2"))
        ax.set_xlabel("class" if values.size == 10 else "unit")
    ax.set_title(chosen.value)
    notes.show(ax, "The digit, and the chosen value of its trace.")
    return (trace,)


@app.cell(hide_code=True)
def _(mo, trace):
    mo.accordion({"All values of this digit": mo.md(f"```\n{trace!r}\n```")})
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    What to try: `f` of a digit that is read wrongly is often divided between two classes. `grad_a` of the last layer is
    $\mathbf{f} - e(y)$. `grad_h[0]` says which pixels would change the loss, for a digit that is read rightly and for
    one that is not. With 0 epochs the network knows nothing, and every digit looks about the same to it. With ReLU many
    entries of `h[1]` are exactly 0, and so are those of `grad_a[1]`.
    """)
    return


@app.cell(hide_code=True)
def _(lw, notes, np):
    def counts_parameters(count):
        """Whether it is the number of parameters of 784-100-10."""
        net_of_homework = lw.Network(784, [100], 10)
        if count == net_of_homework.n_parameters - 110:
            return "Those are the weights alone."
        return count == net_of_homework.n_parameters

    def widest(H):
        """Whether 64-H-10 has at most 5000 parameters, and 64-(H+1)-10 more."""
        if H < 1 or H % 1:
            return "A number of units is a whole number of at least 1."
        here, more = (lw.Network(64, [units], 10).n_parameters for units in (int(H), int(H) + 1))
        if here > 5000:
            return f"That are {here:,} parameters."
        return more > 5000 or f"That are {here:,} parameters, and with one unit more {more:,}."

    def same_line(w, b):
        """Whether w x + b is what the network of three linear neurons computes."""
        chain = lw.Network(1, [1, 1], 1, hidden="linear", output="identity")
        theta_of_chain = chain.initialize()
        theta_of_chain.vector = [2, 1, -3, 2, 0.5, -1]
        x = np.array([[-1.0], [0.0], [2.5]])
        f = chain.predict(theta_of_chain, x)
        return np.allclose(w * x + b, f) or f"At $x = 0$ the network says {f[1, 0]:g}, and $w x + b$ is {b:g}."

    exercises = notes.Exercises(
        notes.Exercise(
            "How many parameters has a network with 784 inputs, one hidden layer of 100 units and 10 outputs?",
            {"count": notes.Number("number")},
            check=counts_parameters,
            answer={"count": "784*100 + 100 + 100*10 + 10"}, wrong=[{"count": "79400"}, {"count": "78500"}],
            hint=r"Two layers have parameters, each a matrix and a vector: $d\,d' + d$.",
            explanation="79,510. Nearly all of them are weights from pixels.",
        ),
        notes.Exercise(
            "What is the largest number $H$ of hidden units with which 64-$H$-10 has at most 5000 parameters?",
            {"H": notes.Number("$H$")},
            check=widest,
            answer={"H": "66"}, wrong=[{"H": "67"}, {"H": "78"}, {"H": "66.5"}],
            hint="Each hidden unit has 64 weights and a bias of its own, and a weight into each output.",
            explanation=r"$75 H + 10 \leq 5000$.",
        ),
        notes.Exercise(
            r"Without a bend in $g$, depth is in vain: let $g(a) = a$, $a^{(1)} = 2x + 1$, $a^{(2)} = -3 h^{(1)} + 2$ "
            r"and $f = \tfrac{1}{2} h^{(2)} - 1$. Write the same $f$ as $w x + b$.",
            {"w": notes.Number("$w$"), "b": notes.Number("$b$")},
            check=same_line,
            answer={"w": "-3", "b": "-3/2"}, wrong=[{"w": "-3", "b": "2"}, {"w": "-0.5", "b": "-1.5"}],
            hint="Put one line into the next, from the inside out.",
            explanation=r"$\mathbf{W}^{(3)} \mathbf{W}^{(2)} \mathbf{W}^{(1)}$ is one matrix, however long the chain.",
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
