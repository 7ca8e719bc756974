import marimo

app = marimo.App(app_title="13 Initialisation and regularisation", width="medium")


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
    # 13 Initialisation and regularisation

    Gradient descent ([chapter 12](../descent/)) says how to go on. It does not say where to start, nor what to prefer
    among the many $\theta$ that fit the examples equally well. The course starts from

    $$\mathbf{b}^{(k)} = 0 \qquad\qquad
      W^{(k)}_{i,j} \sim U[-s, s], \qquad s = \frac{\sqrt{6}}{\sqrt{H_k + H_{k-1}}}$$

    where $H_k$ is the number of units of layer $k$. Why at random?

    - **All zero** fails: with $\tanh$, $\mathbf{h}^{(1)} = 0$, so
      $\nabla_{W^{(2)}}\, l = \nabla_{\mathbf{a}^{(2)}} l \; \mathbf{h}^{(1)\top} = 0$; and
      $\nabla_{\mathbf{h}^{(1)}}\, l = W^{(2)\top} \nabla_{\mathbf{a}^{(2)}} l = 0$, so $W^{(1)}$ does not move either.
      Only the bias of the output learns.
    - **All equal** fails: units with the same weights have the same $h$ and the same gradient, so they stay the same
      for ever. A hidden layer of 100 such units is a single one.

    ## Five hidden units, three starts

    Two inputs, five $\tanh$ units, one sigmoid output. Each line is the way of a **row of** $W^{(1)}$, the weights into
    one unit, as training goes on. Move the epoch, then the value that all weights start from: every one of them fails.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    epoch = mo.ui.slider(0, 60, value=20, label="epoch", show_value=True)
    value = mo.ui.slider(0.1, 2, 0.1, value=0.5, label="all weights equal to", show_value=True)
    mo.hstack([epoch, value], justify="start", gap=2)
    return epoch, value


@app.cell
def _(lw, value):
    moons, side = lw.analysis.moons(200, noise=0.15, seed=2)

    def trained_from(initialisation):
        net = lw.Network(2, [5], 1, hidden="tanh", output="sigmoid", initialisation=initialisation)
        visited = [net.initialize(seed=2)]
        model = lw.fit(net, moons, side, update=lw.SGD(0.3), batch_size=4, epochs=60, seed=2,
                       callbacks=lambda state: visited.append(state.parameters.copy()))  # fmt: skip
        return visited, model.history["train_loss"]

    starts = {
        "all zero": trained_from("zeros"),
        f"all {value.value:g}": trained_from(value.value),
        "Glorot uniform": trained_from("glorot_uniform"),
    }
    return (starts,)


@app.cell(hide_code=True)
def _(epoch, notes, np, starts):
    *_places, _losses = _axes = notes.figure(10, 3, columns=4)
    _reach = max(np.abs([theta.W[1] for theta in visited]).max() for visited, _ in starts.values()) * 1.1
    for (_name, (_visited, _loss)), _ax, _colour in zip(
        starts.items(), _places, ("#D55E00", "#009E73", "#0072B2"), strict=True
    ):
        _rows = np.array([theta.W[1] for theta in _visited[: epoch.value + 1]])  # (epochs, units, 2)
        _ax.plot(*_rows.transpose(2, 0, 1), color=_colour, alpha=0.6)
        _ax.plot(*_rows[-1].T, "o", color=_colour)
        _ax.set(title=_name, xlim=(-_reach, _reach), ylim=(-_reach, _reach), aspect="equal", xlabel="$W_{i,1}$")
        _ax.grid(alpha=0.25)
        _losses.plot(range(1, len(_loss) + 1), _loss, color=_colour, label=_name)
    _places[0].set_ylabel("$W_{i,2}$")
    _losses.axvline(epoch.value, color="0.7", linewidth=1)
    _losses.set(xlabel="epoch", title="training loss", ylim=(0, 0.8))
    _losses.grid(alpha=0.25)
    notes.show(_axes[0], "The rows of the first weight matrix move as training goes on, and the loss of each start.")
    return


@app.cell(hide_code=True)
def _(epoch, mo, starts):
    def matrix(rows):
        entries = r"\\".join(" & ".join(f"{entry:.2f}" for entry in row) for row in rows)
        return rf"\begin{{pmatrix}}{entries}\end{{pmatrix}}"

    _ways = r" \qquad ".join(
        rf"\underset{{\text{{{name}}}}}{{{matrix(visited[epoch.value].W[1])}}}" for name, (visited, _) in starts.items()
    )
    mo.md(f"$W^{{(1)}}$ after epoch {epoch.value}, one row for each unit:\n\n$${_ways}$$")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## How large: what flows through many layers

    For weights of mean 0 and variance $\sigma^2$, and a $g$ that is nearly the identity at 0, each layer multiplies
    variances by

    $$\text{forwards:} \quad \operatorname{Var}[h^{(k)}] \approx H_{k-1}\, \sigma^2 \operatorname{Var}[h^{(k-1)}]
      \qquad
      \text{backwards:} \quad \operatorname{Var}[\nabla_{h^{(k-1)}}] \approx
      H_k\, \sigma^2 \operatorname{Var}[\nabla_{h^{(k)}}]$$

    Both factors are 1 only if $H_{k-1} = H_k$; Glorot and Bengio (2010) take the mean,
    $\sigma^2 = 2/(H_k + H_{k-1})$. The variance of $U[-s, s]$ is $s^2/3$, and there is the course's $s$. Below, a
    deep network looks at 200 digits before any training. With too small weights the signal dies on its way up and the
    gradient on its way down; with too large ones $\tanh$ saturates.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    times = mo.ui.slider(steps=[0.1, 0.25, 0.5, 1, 1.4, 2, 4], value=1, label="weights times", show_value=True)
    depth = mo.ui.slider(1, 12, value=8, label="hidden layers $L$", show_value=True)
    g = mo.ui.dropdown(["tanh", "sigmoid", "relu", "linear"], value="tanh", label="$g$")
    mo.hstack([times, depth, g], justify="start", gap=2)
    return depth, g, times


@app.cell
def _(depth, digits, g, lw, notes, np, times):
    deep = lw.Network(64, [40] * depth.value, 10, hidden=g.value)
    weights = deep.initialize(seed=0, dtype="float64")
    for W in weights.W.values():
        W *= times.value
    flow, spread = notes.figure(10, 4, columns=2, width_ratios=(3, 2))
    lw.GradientFlowDisplay.from_network(deep, weights, digits.X[:200], digits.y[:200], ax=flow)
    last_h = deep.trace(weights, digits.X[:200], digits.y[:200]).h[depth.value]
    spread.stairs(*np.histogram(last_h, bins=40), fill=True, color="0.5")
    spread.set(xlabel="$h$", title=f"values of the last hidden layer, $h^{{({depth.value})}}$", yticks=[])
    notes.show(flow, "Sizes of activations and gradients layer by layer, and the values of the last hidden layer.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    The sigmoid is worse: its slope is at most $1/4$ ([chapter 5](../activations/)), so four times larger weights are
    needed. ReLU lets half of the signal through, so it wants twice the variance: weights times $\sqrt{2} \approx 1.4$
    (He et al. 2015).

    ## L2 and L1

    A **regulariser** $\Omega$ prefers small weights. Biases are left alone.

    $$\text{L2:} \quad \Omega(\theta) = \sum_k \sum_{i,j} \big(W^{(k)}_{i,j}\big)^2
      \qquad\qquad
      \text{L1:} \quad \Omega(\theta) = \sum_k \sum_{i,j} \big|W^{(k)}_{i,j}\big|$$

    Their gradients, and the proof of each line by SymPy:
    """)
    return


@app.cell
def _(lw, notes):
    penalties = lw.proofs.penalties
    notes.proof(penalties.name)
    return (penalties,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    L2 pulls a weight in proportion to its size, so large ones shrink and none ends at 0. L1 pulls all with the same
    force $\lambda$: what the loss does not hold against it goes to 0. Breast cancer, 30 inputs, 16 hidden units; the
    histograms show $W^{(1)}$.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    strengths = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2]
    lam = mo.ui.slider(steps=strengths, value=3e-3, label=r"$\lambda$", show_value=True)
    lam
    return lam, strengths


@app.cell
def _(lw, notes, strengths):
    cancer = notes.Table.named("breast-cancer")
    classifier = lw.Network(30, [16], 2, hidden="tanh")
    penalised = lw.fit_many(
        classifier, cancer.X, cancer.y, update=lw.SGD(0.05, momentum=0.9), epochs=40, seed=0, validation=0.5,
        penalties=[None, *map(lw.L2, strengths), *map(lw.L1, strengths)],
    )  # fmt: skip
    plain, by_L2, by_L1 = penalised[0], penalised[1 : len(strengths) + 1], penalised[len(strengths) + 1 :]
    return by_L1, by_L2, plain


@app.cell(hide_code=True)
def _(by_L1, by_L2, lam, notes, np, plain, strengths):
    ZERO = 0.005
    _at = strengths.index(lam.value)
    _shown = {"no penalty": (plain, "0.5"), "L2": (by_L2[_at], "#0072B2"), "L1": (by_L1[_at], "#D55E00")}
    *_bins, _curve = _axes = notes.figure(10, 3.1, columns=4)
    for _ax, (_name, (_model, _colour)) in zip(_bins, _shown.items(), strict=True):
        _entries = _model.parameters.W[1].ravel()
        _ax.stairs(*np.histogram(_entries, bins=np.linspace(-0.8, 0.8, 41)), baseline=0.5, fill=True, color=_colour)
        _ax.set(title=f"{_name}: {np.mean(np.abs(_entries) < ZERO):.0%} near 0", xlabel="$W^{(1)}_{i,j}$")
        _ax.set(yscale="log", ylim=(0.7, 600))
        _ax.set_yticks([1, 10, 100], labels=["1", "10", "100"] if _ax is _bins[0] else [])
        _ax.minorticks_off()
    for _name, _models in (("L2", by_L2), ("L1", by_L1)):
        _losses = [model.history[-1].validation_loss for model in _models]
        _curve.plot(strengths, _losses, "o-", markersize=4, color=_shown[_name][1], label=_name)
    _curve.axhline(plain.history[-1].validation_loss, color="0.5", label="none")
    _curve.axvline(lam.value, color="0.8", linewidth=1)
    _curve.set(xscale="log", xlabel=r"$\lambda$", title="validation loss")
    _curve.set_xticks(strengths[::2], labels=[f"{strength:g}" for strength in strengths[::2]])
    _curve.minorticks_off()
    _curve.legend(frameon=False, fontsize="small")
    notes.show(
        _axes[0], "Histograms of weights without penalty, with L2 and with L1, and the validation loss by lambda."
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    *Near 0* is $|W_{i,j}| < 0.005$: the steps of L1 have a fixed length, so weights that want to be 0 tremble around
    it. A larger $\lambda$ makes weights fewer (L1) or smaller (L2), until the network is too poor to learn.

    ## Dropout, batch normalisation and early stopping

    Few examples, noisy, and 100 hidden units: this network can learn every single example by heart. The training
    loss goes on falling while the **validation loss**, of examples that training never saw, turns and rises:
    *overfitting*.

    - **Early stopping** returns the $\theta$ of the best epoch by the validation loss. It costs nothing.
    - **Dropout** leaves each hidden unit out with probability $p$, anew for each example, so that no unit relies on
      another; what remains is scaled by $1/(1 - p)$.
    - **Batch normalisation** gives each $a$ mean 0 and variance 1 over the batch, then a scale and a shift that are
      learned: training is faster, and the noise of the batch's mean and variance regularises a little.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    method = mo.ui.dropdown(["nothing", "L2", "L1", "dropout", "batch normalisation"], value="nothing",
                            label="regularised by")  # fmt: skip
    strength = mo.ui.slider(steps=[0.001, 0.003, 0.01, 0.03], value=0.01, label=r"$\lambda$ of L2, L1", show_value=True)
    p = mo.ui.slider(0.1, 0.8, 0.1, value=0.5, label="$p$ of dropout", show_value=True)
    patience = mo.ui.slider(10, 150, 10, value=150, label="patience in epochs", show_value=True)
    shown = mo.ui.dropdown(["the best epoch", "the last epoch"], value="the last epoch", label="decision of")
    mo.vstack([mo.hstack([method, strength, p], justify="start", gap=2),
               mo.hstack([patience, shown], justify="start", gap=2)])  # fmt: skip
    return method, p, patience, shown, strength


@app.cell
def _(few, lw, method, others, p, patience, strength, table):
    noisy = lw.Network(
        2, [100], table.outputs, dropout=p.value if method.value == "dropout" else 0.0,
        batch_norm=method.value == "batch normalisation",
    )  # fmt: skip
    penalty = {"L2": lw.L2, "L1": lw.L1}.get(method.value)
    model = lw.fit(
        noisy, table.X[few], table.y[few], validation=(table.X[others], table.y[others]), update=lw.Adam(0.01),
        penalty=penalty and penalty(strength.value), batch_size=10, epochs=150, patience=patience.value, seed=0,
    )  # fmt: skip
    best, last = model.parameters, model.state.parameters
    best_epoch = model.state.early_stopping.best_epoch
    return best, best_epoch, last, model, noisy


@app.cell(hide_code=True)
def _(best, best_epoch, few, last, lw, model, noisy, notes, shown, table):
    _curves, _plane = notes.figure(10, 4.2, columns=2)
    _history = model.history
    lw.LossCurveDisplay(
        _history["epoch"], _history["train_loss"], _history["validation_loss"], best_epoch=best_epoch
    ).plot(_curves)
    lw.DecisionBoundary.from_network(
        noisy, best if shown.value == "the best epoch" else last, table.X, table.y, feature_names=table.features,
        class_names=table.classes, resolution=80, ax=_plane,
    )  # fmt: skip
    _plane.plot(*table.X[few].T, "o", fillstyle="none", color="black", markersize=9, markeredgewidth=0.8)
    notes.show(_curves, "Training and validation loss by epoch with the best epoch, and what the network decides.")
    return


@app.cell(hide_code=True)
def _(best_epoch, few, mo, model, others):
    _best, _last = model.history[best_epoch - 1], model.history[-1]
    mo.md(
        f"Circles are the {len(few)} examples for training; {len(others)} are for validation. Best epoch {best_epoch}: "
        f"validation loss {_best.validation_loss:.3f}, {_best.validation_metric:.1%} right. Last epoch, {_last.epoch}: "
        f"{_last.validation_loss:.3f}, {_last.validation_metric:.1%} right, and {_last.train_metric:.1%} of the "
        "training examples. The training loss is the mean over the epoch, with the dropout of the time."
    )
    return


@app.cell(hide_code=True)
def _(lw, notes):
    _X, _y = lw.analysis.moons(260, noise=0.35, seed=5)
    own = notes.Upload(
        notes.Table.of("noisy moons", _X, _y, features=("$x_1$", "$x_2$"), classes=("y = 0", "y = 1")),
        inputs=2, classes=True,
    )  # fmt: skip
    file = own.button()
    file
    return file, own


@app.cell(hide_code=True)
def _(file, np, own):
    table, message = own.take(file)
    _order = np.resize(np.random.default_rng(0).permutation(len(table)), max(len(table), 8))  # at least 4 for each
    few, others = np.split(_order[:500], [min(60, len(_order) // 2)])
    message
    return few, others, table


@app.cell(hide_code=True)
def _(notes):
    digits = notes.Table.named("digits")
    return (digits,)


@app.cell(hide_code=True)
def _(lw, notes, np):
    def is_glorot(s):
        """Whether the largest of the library's own 78400 draws is about s."""
        return bool(abs(np.abs(lw.Network(784, [100], 10).initialize(seed=0).W[1]).max() - s) < 1e-3)

    def moved(what):
        """Whether these are the parameters that a step from zero changes."""
        state = lw.start(lw.Network(2, [3], 2, hidden="tanh", initialisation="zeros"), update=lw.SGD(0.1))
        state.step([[1.0, -2.0]], [1])
        theta = state.parameters
        arrays = {f"{name} of layer {k}": part[k] for k in (1, 2) for name, part in (("W", theta.W), ("b", theta.b))}
        return [name for name, array in arrays.items() if array.any()] == [what]

    def shrunk(w):
        """Whether w is left by the library's own step where the loss pulls at no weight."""
        one = lw.Network(1, [], 1, output="identity")
        state = lw.start(one, update=lw.SGD(0.5), penalty=lw.L2(0.1), dtype="float64")
        state.parameters.vector = [2.0, 0.0]
        state.step([[0.0]], [[0.0]])
        return abs(w - state.parameters.W[1].item()) < 1e-6

    exercises = notes.Exercises(
        notes.Exercise(
            "784 inputs, 100 hidden units: what is $s$ for $W^{(1)}$?",
            {"s": notes.Number("$s$")},
            check=is_glorot,
            answer={"s": "sqrt(6/884)"}, wrong=[{"s": "sqrt(6)/884"}, {"s": "sqrt(6/784)"}],
            hint="$H_1 = 100$ and $H_0 = 784$; the root is of their sum.",
            explanation=r"$s = \sqrt{6}/\sqrt{100 + 784} = 0.0824$.",
        ),
        notes.Exercise(
            r"A network with one hidden layer of $\tanh$ units and a softmax output starts from $\theta = 0$. What "
            "does the first step of gradient descent change? (The network is run.)",
            {"what": notes.Choice("", ("nothing", "b of layer 2", "W of layer 2", "W and b of both layers"))},
            check=moved,
            answer={"what": "b of layer 2"}, wrong=[{"what": "nothing"}, {"what": "W of layer 2"}],
            hint=r"$\nabla_{\mathbf{b}^{(2)}} = \mathbf{f} - \mathbf{e}(y)$ is not 0. What does "
            r"$\nabla_{W^{(2)}}$ multiply it by?",
            explanation="It goes on like this for ever: the network learns how frequent the classes are, and no more.",
        ),
        notes.Exercise(
            r"A weight is $2$, the loss does not depend on it, $\lambda = 0.1$ with L2, and $\alpha = 0.5$. What is it "
            "after one step?",
            {"w": notes.Number("$w$")},
            check=shrunk,
            answer={"w": "2 - 0.5*0.1*2*2"}, wrong=[{"w": "1.9"}, {"w": "1.95"}],
            hint=r"The gradient of $\lambda W^2$ is $2 \lambda W$, as the proof says.",
            explanation=r"$w \leftarrow (1 - 2 \alpha \lambda)\, w = 0.9 \cdot 2 = 1.8$: L2 is *weight decay*.",
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
