import marimo

app = marimo.App(app_title="12 Stochastic gradient descent", width="medium")


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
    # 12 Stochastic gradient descent

    Training looks for the $\theta$ with the least **regularised empirical risk**

    $$J(\theta) = \frac{1}{T} \sum_{t=1}^{T} l\big(f(\mathbf{x}^{(t)}; \theta), y^{(t)}\big) +
      \lambda\, \Omega(\theta)$$

    Stochastic gradient descent does not wait for the whole sum. It changes $\theta$ **after each example**:

    $$\Delta = -\nabla_\theta\, l\big(f(\mathbf{x}^{(t)}; \theta), y^{(t)}\big) -
      \lambda\, \nabla_\theta\, \Omega(\theta) \qquad\qquad
      \theta \leftarrow \theta + \alpha\, \Delta$$

    $\alpha$ is the **learning rate**. Averaged over $t$, $\Delta$ is $-\nabla_\theta J$: each step is a noisy guess of
    the right direction, at a $T$-th of the price. Once through all examples is an **epoch**.

    ## One example at a time

    A single sigmoid neuron, $\theta = (w_1, w_2, b)$, and the negative log-likelihood of two classes. The dashed line
    is where the neuron changed its mind before the step, the border of the colours is where it does after it; the
    example of this step has a ring. Go forward and back, then try a larger rate.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    STEPS = 80
    step = mo.ui.slider(1, STEPS, value=1, label="step", show_value=True, full_width=True)
    alpha = mo.ui.slider(steps=[0.01, 0.03, 0.1, 0.3, 1, 3], value=0.3, label=r"rate $\alpha$", show_value=True)
    lam = mo.ui.slider(steps=[0, 0.001, 0.01, 0.1], value=0, label=r"$\lambda$ of $\Omega = \sum W^2$", show_value=True)
    mo.vstack([step, mo.hstack([alpha, lam], justify="start", gap=2)])
    return STEPS, alpha, lam, step


@app.cell
def _(STEPS, X, alpha, lam, lw, np, y):
    neuron = lw.Network(2, [], 1, output="sigmoid")
    penalty = lw.L2(lam.value)
    state = lw.start(neuron, update=lw.SGD(alpha.value), penalty=penalty, dtype="float64", seed=1)
    visits = np.random.default_rng(0).integers(len(X), size=STEPS)
    thetas = [state.parameters.copy()]
    for _t in visits:
        state.step(X[[_t]], y[[_t]])
        thetas.append(state.parameters.copy())
    traces = [neuron.trace(theta, X, y, penalty=penalty) for theta in thetas]
    return neuron, penalty, thetas, traces, visits


@app.cell(hide_code=True)
def _(X, data, lw, neuron, notes, np, step, thetas, traces, visits, y):
    plane, curve = notes.figure(10, 4.1, columns=2)
    lw.DecisionBoundary.from_network(
        neuron, thetas[step.value], X, y, feature_names=data.features, class_names=data.classes, resolution=80, ax=plane
    )
    (_w,), (_b,) = thetas[step.value - 1].W[1], thetas[step.value - 1].b[1]
    _foot = -_b * _w / (_w @ _w)
    plane.axline(_foot, _foot + [-_w[1], _w[0]], color="black", linestyle="--", linewidth=1)
    plane.plot(*X[visits[step.value - 1]], "o", markersize=15, fillstyle="none", color="black", markeredgewidth=2)
    _J = np.array([trace.loss + trace.penalty for trace in traces])
    curve.plot(_J, color="0.8")
    curve.plot(_J[: step.value + 1], color="#0072B2")
    curve.plot(step.value, _J[step.value], "o", color="#0072B2")
    curve.set_xlabel("step")
    curve.set_ylabel("$J$, over all examples")
    curve.set_ylim(0)
    curve.grid(alpha=0.25)
    notes.show(plane, "The neuron's decision before and after the step, and the objective step by step.")
    return


@app.cell
def _(X, neuron, penalty, step, thetas, visits, y):
    t = visits[step.value - 1]
    before = neuron.trace(thetas[step.value - 1], X[[t]], y[[t]], penalty=penalty)
    after = neuron.trace(thetas[step.value], X[[t]], y[[t]], penalty=penalty)
    Delta = [*-before.grad_W[1][0], *-before.grad_b[1]]
    return Delta, after, before, t


@app.cell(hide_code=True)
def _(Delta, X, after, alpha, before, mo, step, t, thetas, y):
    def row(values):
        return "(" + r",\; ".join(f"{value:.3f}" for value in values) + ")"

    _old, _new = thetas[step.value - 1].vector, thetas[step.value].vector
    mo.md(
        f"""
    | step {step.value}, example {t + 1} | before | after |
    |:--|--:|--:|
    | $\\mathbf{{x}} = {row(X[t])}, \\; y = {y[t]}$ | | |
    | $f(\\mathbf{{x}})$ | {before.f[0, 0]:.4f} | {after.f[0, 0]:.4f} |
    | $l(f(\\mathbf{{x}}), y)$ | {before.loss:.4f} | {after.loss:.4f} |
    | $\\Delta$ | ${row(Delta)}$ | |
    | $\\theta = (w_1, w_2, b)$ | ${row(_old)}$ | ${row(_new)}$ |

    Without $\\lambda$, $\\Delta = -(f - y)\\,(x_1, x_2, 1)$:
    ${y[t]} - {before.f[0, 0]:.4f} = {y[t] - before.f[0, 0]:.4f}$ times the example. The new $\\theta$ is the old one
    plus $\\alpha = {alpha.value:g}$ times $\\Delta$. The loss of *this* example falls (unless $\\alpha$ is too large);
    that of all examples may rise.
    """
    )
    return


@app.cell(hide_code=True)
def _(notes, np):
    _rng = np.random.default_rng(3)
    _y = np.arange(40) % 2
    _clouds = np.where(_y[:, None] == 1, [0.9, 0.6], [-0.9, -0.4]) + _rng.normal(0, 0.75, (40, 2))
    _table = notes.Table.of("two clouds", _clouds, _y, features=("$x_1$", "$x_2$"), classes=("y = 0", "y = 1"))
    own = notes.Upload(_table, inputs=2, classes=True)
    file = own.button()
    file
    return file, own


@app.cell(hide_code=True)
def _(file, own):
    _table, message = own.take(file)
    data = _table if len(_table.classes) == 2 else _table.against_rest(len(_table.classes) - 1)
    X, y = data.X, data.y
    message
    return X, data, y


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Batches, momentum, rates and rules

    A **mini-batch** averages the gradients of some examples before it steps: less noise, fewer steps. **Momentum** adds
    up past directions, and the rules with a memory of squared gradients give each parameter a rate of its own. With
    $\mathbf{g} = \nabla_\theta J$ of the batch, each operation entry by entry:

    $$\begin{aligned}
    \text{momentum:} \quad & \mathbf{v} \leftarrow \mathbf{g} + \beta\, \mathbf{v}, & \Delta &= -\mathbf{v} \\
    \text{Adagrad:} \quad & \mathbf{r} \leftarrow \mathbf{r} + \mathbf{g}^2, &
      \Delta &= -\mathbf{g} / \sqrt{\mathbf{r} + \epsilon} \\
    \text{RMSProp:} \quad & \mathbf{r} \leftarrow \rho\, \mathbf{r} + (1 - \rho)\, \mathbf{g}^2, &
      \Delta &= -\mathbf{g} / \sqrt{\mathbf{r} + \epsilon} \\
    \text{Adam:} \quad & \mathbf{m} \leftarrow \beta_1 \mathbf{m} + (1 - \beta_1)\, \mathbf{g}, \;\;
      \mathbf{r} \leftarrow \beta_2 \mathbf{r} + (1 - \beta_2)\, \mathbf{g}^2, &
      \Delta &= -\hat{\mathbf{m}} / (\sqrt{\hat{\mathbf{r}}} + \epsilon)
    \end{aligned}$$

    where the hats divide by $1 - \beta^{\text{steps}}$. A **schedule** lets $\alpha$ fall. The network below, 1-10-1
    with tanh, learns a noisy wave. Choose what is compared; the sliders set everything else.
    """)
    return


@app.cell(hide_code=True)
def _(lw, mo):
    compare = mo.ui.dropdown(["batch size", "update rule", "rate", "momentum", "schedule"], value="batch size",
                             label="compare")  # fmt: skip
    rate = mo.ui.slider(steps=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3], value=0.1, label=r"rate $\alpha$",
                        show_value=True)  # fmt: skip
    momentum = mo.ui.slider(0, 0.95, 0.05, value=0, label=r"momentum $\beta$", show_value=True)
    batch = mo.ui.dropdown({"1": 1, "2": 2, "8": 8, "32": 32, "all": "all"}, value="8", label="batch size")
    SCHEDULES = {
        "constant": lw.Constant(), "halved every 10 epochs": lw.StepDecay(0.5, 10),
        "1/(1 + epochs/5)": lw.InverseTime(0.2), "cosine": lw.Cosine(),
    }  # fmt: skip
    schedule = mo.ui.dropdown(SCHEDULES, value="constant", label="schedule")
    mo.vstack([mo.hstack([compare, batch, schedule], justify="start", gap=2),
               mo.hstack([rate, momentum], justify="start", gap=2)])  # fmt: skip
    return SCHEDULES, batch, compare, momentum, rate, schedule


@app.cell
def _(lw, np):
    noise = np.random.default_rng(0)
    x = np.linspace(-1, 1, 128)[:, None]
    wave = np.sin(4 * x) + noise.normal(0, 0.1, x.shape)
    net = lw.Network(1, [10], 1, hidden="tanh", output="identity")

    def trained(**settings):
        """The model, or what was left of it when its loss became infinite."""
        try:
            return lw.fit(net, x, wave, epochs=40, exact_train_loss=True, seed=0, **settings)
        except lw.DivergenceError as problem:
            return problem.model

    return net, trained, wave, x


@app.cell(hide_code=True)
def _(SCHEDULES, batch, compare, lw, momentum, rate, schedule, trained):
    _alpha, _beta = rate.value, momentum.value
    _variants = {
        "batch size": {str(size): {"batch_size": size} for size in (1, 2, 8, 32, "all")},
        "update rule": {
            "SGD": {"update": lw.SGD(_alpha)}, "momentum 0.9": {"update": lw.SGD(_alpha, momentum=0.9)},
            "Adagrad": {"update": lw.Adagrad(_alpha)}, "RMSProp": {"update": lw.RMSProp(_alpha)},
            "Adam": {"update": lw.Adam(_alpha)},
        },
        "rate": {f"{alpha:g}": {"update": lw.SGD(alpha, momentum=_beta)} for alpha in (0.01, 0.03, 0.1, 0.3, 1)},
        "momentum": {f"{beta:g}": {"update": lw.SGD(_alpha, momentum=beta)} for beta in (0, 0.5, 0.8, 0.9, 0.95)},
        "schedule": {name: {"schedule": one} for name, one in SCHEDULES.items()},
    }  # fmt: skip
    _same = {"update": lw.SGD(_alpha, momentum=_beta), "batch_size": batch.value, "schedule": schedule.value}
    models = {name: trained(**(_same | change)) for name, change in _variants[compare.value].items()}
    return (models,)


@app.cell(hide_code=True)
def _(compare, mo, models, net, notes, wave, x):
    loss, fits = notes.figure(10, 4.5, columns=2)
    fits.plot(x, wave, ".", color="0.75")
    _first = net.trace(net.initialize(seed=0), x, wave).loss
    _lost = [name for name, model in models.items() if model.state.stopped == "diverged"]
    for _name, _model in models.items():
        _history = _model.history
        (_curve,) = loss.plot(
            [0, *_history["epoch"] * len(x)], [_first, *_history["exact_train_loss"]],
            marker="x" if _name in _lost else "", markevery=[-1], markersize=9,
            label=_name + (" (diverged)" if _name in _lost else ""),
        )  # fmt: skip
        fits.plot(x, _model.predict(x), color=_curve.get_color())
    loss.set(xlabel="examples seen", ylabel="loss of all examples", yscale="log", xlim=(-150, 40 * len(x) + 150))
    loss.legend(frameon=False, fontsize="small", ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    loss.grid(alpha=0.25)
    loss.minorticks_off()
    fits.set(xlabel="$x$", ylabel="$f(x)$ at the end", ylim=(-2, 2))
    _at = ", ".join(f"{compare.value} {name} in epoch {models[name].state.epoch + 1}" for name in _lost)
    _callout = mo.md(
        f"**Diverged:** {_at}. The loss became infinite; shown is what there was before that epoch. Lower the rate "
        "or the momentum, or take larger batches."
    ).callout(kind="danger")
    mo.vstack([notes.show(loss, "The loss by examples seen, and the curves that were learned."),
               _callout if _lost else mo.md("")])  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    - **Batch size**: seen by examples, small batches learn faster, since they make more steps; at a large rate they
      are the first to diverge, because their gradients are noisier.
    - **Momentum** $\beta$ multiplies a steady gradient by $1 + \beta + \beta^2 + \dots = 1/(1 - \beta)$: 0.9 is as
      good as a ten times larger rate, where all gradients agree.
    - **Rules**: Adam and RMSProp divide by the gradient's own size, so a parameter moves by about $\alpha$ in a step,
      and the rate that suits them is another one. Compare them at 0.01 and at 0.3.

    ## What diverges, and why

    Take a network so small that its whole $\theta$ fits in a picture: $f(x) = b + w x$ with squared error. Near a
    minimum $\theta^*$ every smooth $J$ looks like its $J$: a bowl, with the **Hessian** $H = \nabla^2_\theta J$. A
    step over all examples multiplies the error along an eigenvector of $H$ with eigenvalue $\lambda_i$ by a constant:

    $$\theta - \alpha H (\theta - \theta^*) - \theta^* = (I - \alpha H)(\theta - \theta^*)
      \qquad \Rightarrow \qquad \text{error}_i \leftarrow (1 - \alpha \lambda_i)\, \text{error}_i$$

    The errors shrink if and only if $|1 - \alpha \lambda_i| < 1$ for all $i$, that is

    $$\alpha < \frac{2}{\lambda_{\max}}$$

    Just below that bound the steep direction jumps from side to side; just above, it explodes. The flat direction
    shrinks by $1 - \alpha \lambda_{\min}$ only: the ratio $\lambda_{\max}/\lambda_{\min}$ decides how slow training
    has to be. The first slider goes past the bound.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    share = mo.ui.slider(
        0.05, 1.5, 0.05, value=0.9, label=r"$\alpha$ as a multiple of $2/\lambda_{\max}$", show_value=True
    )
    beta = mo.ui.slider(0, 0.9, 0.1, value=0, label=r"momentum $\beta$", show_value=True)
    rows = mo.ui.dropdown({"all": "all", "8": 8, "1": 1}, value="all", label="batch size")
    far = mo.ui.slider(0, 2, 0.25, value=1.25, label="mean of $x$", show_value=True)
    mo.hstack([share, beta, rows, far], justify="start", gap=1.5, wrap=True)
    return beta, far, rows, share


@app.cell
def _(far, lw, np):
    straight = lw.Network(1, [], 1, output="identity")  # theta = (w, b)
    points = far.value + np.linspace(-1.5, 1.5, 24)[:, None]
    heights = 1 + 2 * points + np.random.default_rng(1).normal(0, 0.3, points.shape)
    start = straight.initialize(seed=0, dtype="float64")
    start.vector = [-1.0, 3.0]
    H = np.array([lw.hessian_vector_product(straight, start, points, heights, unit) for unit in np.eye(2)])
    eigenvalues = np.linalg.eigvalsh(H)
    bound = lw.analysis.largest_stable_rate(straight, start, points, heights)  # 2 / eigenvalues[-1]
    return bound, eigenvalues, heights, points, start, straight


@app.cell
def _(beta, bound, heights, lw, points, rows, share, start, straight):
    descent = lw.start(straight, update=lw.SGD(share.value * bound, momentum=beta.value), initial=start)
    path, ended = [], ""
    size = len(points) if rows.value == "all" else rows.value
    while len(path) < 250 and not ended:
        path.append(descent.parameters.copy())
        chosen = descent.order_of(len(path), range(len(points)))[:size]
        try:
            descent.step(points[chosen], heights[chosen])
        except lw.DivergenceError as problem:
            ended = str(problem)
    losses = [straight.trace(theta.astype("float64"), points, heights).loss for theta in path]
    return ended, losses, path


@app.cell(hide_code=True)
def _(heights, lw, losses, notes, path, points, start, straight):
    valley, fall = notes.figure(10, 4.4, columns=2)
    lw.LossSurfaceDisplay.from_network(
        straight, start, points, heights, directions=(0, 1), span=((-1.5, 7.5), (-6.5, 3.5)), path=path[:60],
        resolution=25, levels=15, ax=valley, title="the first steps; the star is where they start",
    )  # fmt: skip
    fall.plot(losses, color="#0072B2")
    fall.set(xlabel="step", ylabel="loss of all examples", yscale="log")
    fall.grid(alpha=0.25)
    fall.minorticks_off()
    notes.show(valley, "The path of gradient descent over the loss surface, and the loss step by step.")
    return


@app.cell(hide_code=True)
def _(beta, bound, eigenvalues, ended, losses, mo, np, rows, share):
    _factors = 1 - share.value * bound * eigenvalues
    _numbers = (
        f"$\\lambda_{{\\min}} = {eigenvalues[0]:.3g}$, $\\lambda_{{\\max}} = {eigenvalues[1]:.3g}$, so the bound is "
        f"$2/\\lambda_{{\\max}} = {bound:.3g}$ and $\\alpha = {share.value * bound:.3g}$: without momentum each step "
        f"over all examples multiplies the errors by ${_factors[0]:.3g}$ and ${_factors[1]:.3g}$."
    )
    _worse = bool(ended) or np.mean(losses[-20:]) > losses[0]
    _said = f"After {len(losses)} steps the loss is {losses[-1]:.3g}, at first {losses[0]:.3g}."
    if ended:
        _said = f"**Diverged** after {len(losses)} steps. The library says: *{ended}*"
    elif _worse:
        _said = f"**Diverging.** {_said}"
    if _worse and share.value < 1 and rows.value != "all":
        _said += r" The bound is that of all examples; some batches have an $H$ with a larger $\lambda_{\max}$."
    elif not _worse and share.value > 1 and beta.value:
        _said += r" Momentum moves the bound to $2(1 + \beta)/\lambda_{\max}$: jumps to and fro cancel in $\mathbf{v}$."
    mo.vstack([mo.md(_numbers), mo.md(_said).callout(kind="danger" if _worse else "neutral")])
    return


@app.cell
def _(lw, models, net, wave, x):
    model = next(iter(models.values()))
    at_start = lw.analysis.largest_curvature(net, net.initialize(seed=0), x, wave)
    at_end = lw.analysis.largest_curvature(net, model.parameters, x, wave)
    return at_end, at_start


@app.cell(hide_code=True)
def _(at_end, at_start, mo):
    mo.md(
        f"""
    In a network with hidden layers $H$ depends on $\\theta$, so the bound moves while it learns. For the wave above,
    $\\lambda_{{\\max}}$ is {at_start:.3g} at the start and {at_end:.3g} where the first of the curves ended: full-batch
    descent is stable there below {2 / at_start:.3g} and {2 / at_end:.3g}. [Chapter 13](../regularisation/) looks at
    where to start.
    """
    )
    return


@app.cell(hide_code=True)
def _(lw, notes, np):
    def after_one_step(w):
        """Whether w is what the library's own step leaves."""
        one = lw.start(lw.Network(1, [], 1, output="sigmoid"), update=lw.SGD(0.5), dtype="float64")
        one.parameters.vector = [1.0, 0.0]
        one.step([[2.0]], [0])
        return abs(w - one.parameters.W[1].item()) < 5e-4

    def stable_bound(alpha):
        line = lw.Network(1, [], 1, output="identity")
        theta = line.initialize(seed=0, dtype="float64")
        H = [lw.hessian_vector_product(line, theta, [[-2.0], [2.0]], [0.0, 1.0], unit) for unit in np.eye(2)]
        return abs(alpha - 2 / np.linalg.eigvalsh(H)[-1]) < 1e-3

    def fast_enough(alpha, beta):
        """Whether 30 steps over all examples bring the loss of a badly scaled line below 1e-4."""
        u = np.linspace(-1.0, 1.0, 11)[:, None]
        try:
            run = lw.fit(lw.Network(1, [], 1, output="identity"), u, 3 * u + 1, update=lw.SGD(alpha, momentum=beta),
                         batch_size="all", epochs=30, exact_train_loss=True, seed=0)  # fmt: skip
        except lw.DivergenceError as problem:
            return f"It diverged in {problem.where}."
        reached = run.history["exact_train_loss"][-1]
        return bool(reached < 1e-4) or f"The loss is {reached:.2g} after 30 steps."

    exercises = notes.Exercises(
        notes.Exercise(
            "A sigmoid neuron with one input has $w = 1$, $b = 0$. It sees $x = 2$, $y = 0$; the rate is $0.5$, and "
            "there is no penalty. What is $w$ after the step?",
            {"w": notes.Number("$w$")},
            check=after_one_step,
            answer={"w": "1 - 0.5*2/(1 + exp(-2))"},
            wrong=[{"w": "1 + 0.5*2/(1 + exp(-2))"}, {"w": "1 - 0.5/(1 + exp(-2))"}],
            hint=r"$\Delta_w = -(f - y)\,x$ with $f = 1/(1 + e^{-2})$; then $w + \alpha \Delta_w$.",
            explanation=r"$f = 0.881$, $\Delta_w = -1.762$, $w = 1 - 0.881 = 0.119$.",
        ),
        notes.Exercise(
            r"$f(x) = b + w x$ with squared error $\frac12 (f - y)^2$, and two examples, $x = -2$ and $x = 2$. Below "
            r"which $\alpha$ does descent over both examples converge?",
            {"alpha": notes.Number(r"$\alpha$")},
            check=stable_bound,
            answer={"alpha": "1/2"}, wrong=[{"alpha": "2"}, {"alpha": "1/4"}],
            hint=r"$H$ is the mean of $(x, 1)^\top (x, 1)$ over the examples. What are its eigenvalues?",
            explanation=r"$H = \text{diag}(4, 1)$, so $\lambda_{\max} = 4$ and the bound is $2/4$.",
        ),
        notes.Exercise(
            "Eleven points of $y = 3x + 1$ with $x$ from $-1$ to $1$. Find a rate and a momentum with which 30 steps "
            "over all of them bring the loss below $10^{-4}$. (Your answer is run.)",
            {"alpha": notes.Number(r"$\alpha$"), "beta": notes.Number(r"$\beta$")},
            check=fast_enough,
            answer={"alpha": "1", "beta": "0.2"},
            wrong=[{"alpha": "0.1", "beta": "0"}, {"alpha": "60", "beta": "0"}, {"alpha": "1", "beta": "1"}],
            hint=r"$H = \text{diag}(0.4, 1)$: which $\alpha$ makes both $|1 - 0.4\,\alpha|$ and $|1 - \alpha|$ small?",
            explanation=r"Without momentum $\alpha = 1.4$ is best: both factors are 0.43 in size.",
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
