import marimo

app = marimo.App(app_title="3 Types of learning", width="medium")


@app.cell(hide_code=True)
def _():
    import marimo as mo
    import numpy as np

    import layerwise as lw
    from layerwise import notes

    try:
        import gymnasium
    except ModuleNotFoundError:  # the page says so where it is needed
        gymnasium = None
    return gymnasium, lw, mo, notes, np


@app.cell(hide_code=True)
def _(mo):
    _rows = [
        ("type", "what it gets", "what it learns", "loss of one example", r"gradient at $\mathbf{a}^{(L+1)}$"),
        (":--", ":--", ":--", ":--", ":--"),
        ("**supervised**, classes", "$y_1, y_2, \\dots$, each a class", "the class of a new $\\mathbf{x}$",
         r"$-\log f(\mathbf{x})_y$", r"$\mathbf{f} - \mathbf{e}(y)$"),
        ("**supervised**, numbers", "$y_1, y_2, \\dots$, each a number", "the number of a new $\\mathbf{x}$",
         r"$\tfrac12 (f(\mathbf{x}) - y)^2$", "$f - y$"),
        ("**unsupervised**", "no more", r"what is typical of $\mathbf{x}$",
         r"$\tfrac12 \sum_i (f(\mathbf{x})_i - x_i)^2$", r"$\mathbf{f} - \mathbf{x}$"),
        ("by **reinforcement**", "rewards $r_1, r_2, \\dots$ for its actions $u_1, u_2, \\dots$",
         "to act so that rewards add up", r"$-G \log f(\mathbf{x})_u$", r"$G\, (\mathbf{f} - \mathbf{e}(u))$"),
    ]  # fmt: skip
    _table = "\n".join(f"| {' | '.join(row)} |" for row in _rows)
    mo.md(
        r"""
    # 3 Types of learning

    A learner is shown $\mathbf{x}_1, \mathbf{x}_2, \mathbf{x}_3, \dots$ What else it gets makes the type of learning.
    One network, one backpropagation and one update serve all of them. Only the **target** comes from elsewhere: from a
    teacher, from $\mathbf{x}$ itself, or from what the learner did, weighted by the **return** $G$, the rewards that
    followed.

    """
        + _table.replace("\n", "\n    ")
        + r"""

    ## Supervised: somebody says what is right

    At the left a class for each $\mathbf{x}$, two inputs; at the right a number for each $x$, one input. Both networks
    have one hidden layer of tanh units. With few units they cannot follow the data; with many units and many epochs
    the right one begins to follow the noise. Bring your own classes: two numbers, then the class.
    """
    )
    return


@app.cell(hide_code=True)
def _(lw, mo, notes):
    units = mo.ui.slider(steps=[1, 2, 3, 4, 6, 8, 12, 16, 24, 32], value=8, label="hidden units", show_value=True)
    epochs = mo.ui.slider(steps=[1, 10, 30, 100, 200, 300, 600], value=200, label="epochs", show_value=True)
    _moons = notes.Table.of(
        "two moons", *lw.analysis.moons(120, noise=0.15), features=("$x_1$", "$x_2$"), classes=("class 0", "class 1")
    )
    own = notes.Upload(_moons, inputs=2, classes=True)
    file = own.button()
    mo.vstack([mo.hstack([units, epochs], justify="start", gap=2), file])
    return epochs, file, own, units


@app.cell(hide_code=True)
def _(file, own):
    table, message = own.take(file)
    message
    return (table,)


@app.cell
def _(epochs, lw, np, table, units):
    classifier = lw.Network(2, [units.value], table.outputs, hidden="tanh", output="softmax")
    budget = max(1, min(epochs.value, 120_000 // len(table)))  # large tables get fewer epochs
    classes = lw.fit(classifier, table.X, table.y, update=lw.Adam(0.02), epochs=budget, seed=0)

    x = np.linspace(-1, 1, 40)[:, None]
    wave = np.sin(4 * x) + np.random.default_rng(0).normal(0, 0.25, x.shape)
    regressor = lw.Network(1, [units.value], 1, hidden="tanh", output="identity")
    numbers = lw.fit(regressor, x, wave, update=lw.Adam(0.02), epochs=epochs.value, seed=0)
    return classes, classifier, numbers, wave, x


@app.cell(hide_code=True)
def _(classes, classifier, lw, notes, np, numbers, table, wave, x):
    _plane, _line = notes.figure(10, 4, columns=2)
    lw.DecisionBoundary.from_network(
        classifier, classes.parameters, table.X, table.y, feature_names=table.features, resolution=61, ax=_plane,
        class_names=table.classes if len(table.classes) == len(np.unique(table.y)) else None,
    )  # fmt: skip
    _ticks = np.linspace(-1.1, 1.1, 200)[:, None]
    _line.plot(x, wave, "o", color="0.45", markersize=4, label="$y$")
    _line.plot(_ticks, np.sin(4 * _ticks), color="0.7", linestyle="--", label=r"$\sin 4x$, to which noise was added")
    _line.plot(_ticks, numbers.predict(_ticks), color="#D55E00", label="$f(x)$")
    _line.set(xlabel="$x$", ylim=(-2.3, 2.3))
    _line.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize="small")
    notes.show(_plane, "A classifier's decision over two inputs, and a regressor's curve through noisy points.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Unsupervised: the input is its own target

    An **autoencoder** has to give back its input through a narrow layer, the **code**:

    $$\mathbf{x} \;\longrightarrow\; \mathbf{h}^{(1)} = g\big(\mathbf{b}^{(1)} + \mathbf{W}^{(1)} \mathbf{x}\big)
      \;\longrightarrow\; \mathbf{f}(\mathbf{x}) = \mathbf{b}^{(2)} + \mathbf{W}^{(2)} \mathbf{h}^{(1)}
      \approx \mathbf{x}$$

    Fewer units than inputs cannot keep everything, so they keep what the images have in common. No label is used; at
    the right they only colour the codes. With a linear $g$ no code keeps more of the variance than as many
    **principal components** do; the line below compares.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    code = mo.ui.slider(steps=[1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64], value=8, label="units of the code",
                        show_value=True)  # fmt: skip
    passes = mo.ui.slider(1, 20, value=10, label="epochs", show_value=True)
    g = mo.ui.dropdown(["tanh", "relu", "linear"], value="tanh", label="$g$")
    mo.hstack([code, passes, g], justify="start", gap=2)
    return code, g, passes


@app.cell
def _(code, g, lw, notes, passes):
    digits = notes.Table.named("digits")
    autoencoder = lw.Autoencoder([code.value], g.value, learning_rate_init=0.01, batch_size=32, random_state=0)
    for _pass in range(passes.value):
        autoencoder.partial_fit(digits.X)  # no y
    returned = autoencoder.reconstruct(digits.X)
    return autoencoder, digits, returned


@app.cell(hide_code=True)
def _(autoencoder, digits, lw, mo, notes, np, returned):
    def _strip(images):
        """Twenty images in two rows."""
        return images.reshape(2, 10, 8, 8).transpose(0, 2, 1, 3).reshape(16, 80)

    _grid = notes.figure(10, 4.2, columns=2, rows=2, width_ratios=[1.35, 1], height_ratios=[1, 1])
    for _ax, _images, _said in ((_grid[0, 0], digits.X, "$x$"), (_grid[1, 0], returned, "$f(x)$")):
        _ax.imshow(_strip(_images[:20]), cmap="gray_r", vmin=0, vmax=1)
        _ax.set_title(_said, fontsize="medium")
        _ax.set_axis_off()
    for _ax in _grid[:, 1]:
        _ax.remove()
    _codes = _grid[0, 0].figure.add_subplot(_grid[0, 0].get_gridspec()[:, 1])
    _view = lw.HiddenSpaceDisplay.from_estimator(
        autoencoder,
        digits.X[:400],
        digits.y[:400],
        layer=1,
        ax=_codes,
        legend=False,
        title="the codes $h^{(1)}$",
        class_names=digits.classes,
    )
    _codes.set(xticks=[], yticks=[])
    _view.figure_.legend(handles=_view.points.handles(), loc="outside right", frameon=False, fontsize="small")
    _variances = np.linalg.svd(digits.X - digits.X.mean(axis=0), compute_uv=False) ** 2
    _kept = _variances[: autoencoder.hidden_layer_sizes[0]].sum() / _variances.sum()
    mo.vstack([
        notes.show(_codes, "Twenty digits, what the autoencoder gives back, and the codes coloured by digit."),
        mo.md(f"Of the variance of the images, **{100 * max(autoencoder.score(digits.X), 0):.1f} %** comes back; "
              f"{autoencoder.hidden_layer_sizes[0]} principal components keep {100 * _kept:.1f} %."),
    ])  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## By reinforcement: nobody says what is right

    Now the learner acts. At each moment $t$ it sees $\mathbf{x}_t$, draws an action $u_t$ with the probabilities
    $\mathbf{f}(\mathbf{x}_t)$ (the *policy*), gets a reward $r_t$, and **what it sees next depends on what it did**.
    It shall make the return large, in which later rewards count less by a factor $\gamma$ for each step:

    $$G_t = r_t + \gamma\, r_{t+1} + \gamma^2 r_{t+2} + \dots$$

    Which action would have been right nobody knows. But the gradient of the expected return can be estimated from
    episodes that were played (REINFORCE, [Williams 1992](https://doi.org/10.1007/BF00992696)):

    $$\nabla_\theta\, \mathbb{E}[G] \;\approx\; \frac1n \sum_t G_t\, \nabla_\theta \log f(\mathbf{x}_t)_{u_t}$$

    To go *up* it is to go *down* the negative log-likelihood of a classifier **whose labels are the actions taken and
    whose examples are weighted by the returns**. From $G$ one may subtract a baseline, such as its mean: then what went
    worse than usual gets a negative weight, and becomes less likely.

    The task: push a cart to the left or to the right so that the pole on it does not fall. Each step that it stands
    earns 1; at 500 the episode ends. What the network sees are place and speed of the cart, angle and angular speed of
    the pole. The page plays 40 episodes for any setting, the button 150: with seed 0 and rate 0.01 that is enough to
    keep the pole up to the end. Set the rate to 0.1: after a few large steps the policy takes one action for sure, sees
    nothing else any more, and stays there.
    """)
    return


@app.cell(hide_code=True)
def _(gymnasium, mo):
    mo.stop(
        gymnasium is None,
        mo.md("This part needs Gymnasium: expected the package, got no such package; `pip install 'layerwise[notes]'`, "
              "then start the notes anew.").callout(kind="warn"),
    )  # fmt: skip
    rate = mo.ui.slider(steps=[0.0003, 0.001, 0.003, 0.01, 0.03, 0.1], value=0.01, label=r"rate $\alpha$",
                        show_value=True)  # fmt: skip
    discount = mo.ui.slider(steps=[0, 0.5, 0.8, 0.9, 0.95, 0.99, 1], value=0.99, label=r"$\gamma$", show_value=True)
    seed = mo.ui.slider(0, 9, value=0, label="seed", show_value=True)
    more = mo.ui.run_button(label="play 150 episodes")
    cartpole = gymnasium.make("CartPole-v1")
    mo.hstack([rate, discount, seed, more], justify="start", gap=2)
    return cartpole, discount, more, rate, seed


@app.cell
def _(cartpole, discount, lw, more, rate, seed):
    policy = lw.Network(4, [32], 2, hidden="tanh", output="softmax")
    training = lw.analysis.reinforce(
        cartpole, policy, episodes=150 if more.value else 40, discount=discount.value, update=lw.Adam(rate.value),
        seed=seed.value,
    )  # fmt: skip
    return policy, training


@app.cell(hide_code=True)
def _(mo, notes, np, training):
    _ax = notes.figure(8, 3)
    _n = len(training.returns)
    _means = [training.returns[max(0, i - 9) : i + 1].mean() for i in range(_n)]
    _ax.plot(np.arange(1, _n + 1), training.returns, "o", color="#0072B2", alpha=0.4, markersize=4, label="an episode")
    _ax.plot(np.arange(1, _n + 1), _means, color="#D55E00", label="mean of the last ten")
    _ax.axhline(500, color="0.5", linestyle=":", label="the most that can be")
    _ax.set(xlabel="episode", ylabel="return (steps)", ylim=(0, 540))
    _ax.grid(alpha=0.25)
    _ax.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    mo.vstack([
        notes.show(_ax, "The return of every episode, and the mean of the last ten."),
        mo.md(f"{int(training.lengths.sum())} actions, {_n} updates. With $\\gamma = 0$ every step has the same "
              "weight, 1 less the mean 1, so nothing is learned. Other seeds differ a lot: the estimate is noisy."),
        *([mo.md("The policy has collapsed: it takes one action for sure, so it never sees what another one would "
                 "bring. Lower the rate.").callout(kind="warn")] if _means[-1] < 12 else []),
    ])  # fmt: skip
    return


@app.cell
def _(cartpole, np, policy, seed, training):
    dice = np.random.default_rng(seed.value)
    seen, actions, over = [cartpole.reset(seed=100)[0]], [], False
    while not over:
        f = policy.predict(training.parameters, seen[-1][None])[0]
        actions.append(int(dice.random() < f[1]))
        state, _reward, fallen, ended, _info = cartpole.step(actions[-1])
        seen.append(state)
        over = fallen or ended
    X, u = np.array(seen[:-1]), np.array(actions)
    return X, u


@app.cell(hide_code=True)
def _(X, mo):
    t = mo.ui.slider(1, len(X), value=min(len(X), 10), label="step $t$", show_value=True)
    mo.vstack([mo.md("### An episode, step by step\n\nPlayed with the policy as it is now."), t])
    return (t,)


@app.cell(hide_code=True)
def _(X, notes, np, policy, t, training, u):
    _scene, _chances = notes.figure(10, 3.2, columns=2)
    _place, _, _angle, _ = X[t.value - 1]
    _scene.plot([-2.4, 2.4], [0, 0], color="0.6", linewidth=1)
    _scene.plot(_place, 0.08, "s", color="#0072B2", markersize=18)
    _top = _place + np.sin(_angle), 0.08 + np.cos(_angle)
    _scene.plot([_place, _top[0]], [0.08, _top[1]], color="#D55E00", linewidth=5, solid_capstyle="round")
    _push = 0.5 if u[t.value - 1] else -0.5
    _scene.annotate("", (_place + _push + np.sign(_push) * 0.2, 0.08), (_place + np.sign(_push) * 0.2, 0.08),
                    arrowprops={"arrowstyle": "->", "linewidth": 2})  # fmt: skip
    _scene.set(xlim=(-2.4, 2.4), ylim=(-0.25, 1.35), xlabel="place of the cart", yticks=[], aspect="equal")
    _scene.set_title(f"step {t.value}: push to the {'right' if u[t.value - 1] else 'left'}", fontsize="medium")
    _steps = np.arange(1, len(X) + 1)
    _chances.plot(_steps, policy.predict(training.parameters, X)[:, 1], color="#0072B2", label="$f(x)_1$: to the right")
    _chances.plot(_steps, X[:, 2] / 0.2095, color="#D55E00", label="angle / 12 degrees")
    _chances.axvline(t.value, color="0.5", linestyle=":")
    _chances.set(xlabel="step", ylim=(-1.1, 1.1))
    _chances.grid(alpha=0.25)
    _chances.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    notes.show(_scene, "The cart with its pole at the step, and the policy and the angle over the episode.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ### The policy gradient is a weighted gradient, in numbers

    For this episode: take the gradient of $-\log f(\mathbf{x}_t)_{u_t}$ for each step by itself, weight it by $G_t$ and
    add up. Then let the engine make one step of gradient descent, rate 1, on a *classification* with the actions as
    labels and the returns as weights. It moves $\theta$ by exactly minus that sum over $n$.
    """)
    return


@app.cell
def _(X, discount, lw, np, policy, training, u):
    G = lw.analysis.standardised_returns(lw.analysis.returns_to_go(np.ones(len(u)), discount.value))
    theta = policy.initialize(dtype="float64")
    theta.vector[...] = training.parameters.vector
    each = lw.per_example_gradients(policy, theta, X, u)  # (n, P): of -log f(x_t)_{u_t}
    by_hand = (G[:, None] * each).mean(axis=0)

    one = lw.start(policy, update=lw.SGD(1.0), weight_mean="as given", initial=theta, dtype="float64")
    one.step(X, u, G)
    by_engine = theta.vector - one.parameters.vector
    return G, by_engine, by_hand, theta


@app.cell(hide_code=True)
def _(G, X, by_engine, by_hand, lw, mo, policy, t, theta, u):
    _t = t.value - 1
    _gradient = G[_t] * lw.loss_gradient_at_preactivation(policy.predict(theta, X[[_t]]), u[[_t]])[0]
    _shown = "\n".join(f"| $\\theta_{{{_k + 1}}}$ | {by_hand[_k]:.6f} | {by_engine[_k]:.6f} |" for _k in range(3))
    mo.md(
        f"| | by hand: $\\frac1n \\sum_t G_t \\nabla_\\theta (-\\log f_{{u_t}})$ | by the engine, weights $G_t$ |\n"
        f"|:--|--:|--:|\n{_shown}\n\nLargest difference over all {len(by_hand)} parameters: "
        f"{abs(by_hand - by_engine).max():.1e}. At step {t.value} the weight is $G_{{{t.value}}} = {G[_t]:.2f}$ (less "
        f"the mean, over the standard deviation), the action $u_{{{t.value}}} = {u[_t]}$, and the gradient at "
        f"$\\mathbf{{a}}^{{(L+1)}}$ is $G (\\mathbf{{f}} - \\mathbf{{e}}(u)) = ({_gradient[0]:.3f},\\ "
        f"{_gradient[1]:.3f})$: descent makes the action "
        f"{'more likely' if G[_t] > 0 else 'less likely' if G[_t] < 0 else 'neither more nor less likely'}."
    )
    return


@app.cell(hide_code=True)
def _(lw, notes, np):
    def weighted(grad):
        """Whether it is G (f_1 - 1) for G = 2 and f = (0.8, 0.2)."""
        right = 2 * lw.loss_gradient_at_preactivation([[0.8, 0.2]], [1])[0, 1]
        if abs(grad + right) < 1e-9:
            return "The sign is wrong: descent would make a good action less likely."
        return abs(grad - right) < 1e-9

    def first_return(G):
        """Whether it is the return of three rewards of 1, discounted by one half."""
        return abs(G - lw.analysis.returns_to_go([1.0, 1.0, 1.0], 0.5)[0]) < 1e-9

    def narrowest(n):
        """Whether n linear units are the fewest that lose nothing of points (s, t, s + t + 1)."""
        if n not in (1, 2, 3):
            return "It is a whole number, not above the number of inputs."
        s, t = np.random.default_rng(0).normal(size=(2, 50))
        points = np.column_stack([s, t, s + t + 1])
        variances = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
        lost = variances[int(n) :].sum() / variances.sum()
        if lost > 1e-12:
            return f"With {n:g} at best {100 * (1 - lost):.0f} % of the variance comes back."
        return variances[int(n) - 1] > 1e-12 or f"{n:g} lose nothing, but fewer do too."

    exercises = notes.Exercises(
        notes.Exercise(
            r"A policy says $\mathbf{f} = (0.8, 0.2)$. Action 1 is drawn, and the return is $G = 2$. What is the "
            r"gradient of the weighted loss with respect to $a^{(L+1)}_1$, the pre-activation of action 1?",
            {"grad": notes.Number("gradient")},
            check=weighted,
            answer={"grad": "-1.6"}, wrong=[{"grad": "1.6"}, {"grad": "-0.8"}, {"grad": "0.4"}],
            hint=r"It is component 1 of $G\,(\mathbf{f} - \mathbf{e}(u))$.",
            explanation="$2\\,(0.2 - 1) = -1.6$: descent raises $a_1$, so the action that paid becomes more likely.",
        ),
        notes.Exercise(
            r"The pole stands for three steps (rewards 1, 1, 1), then falls. What is $G_1$ with $\gamma = 1/2$?",
            {"G": notes.Number("$G_1$")},
            check=first_return,
            answer={"G": "7/4"}, wrong=[{"G": "3"}, {"G": "3/2"}],
            hint=r"$G_1 = r_1 + \gamma\, r_2 + \gamma^2 r_3$.",
            explanation=r"$1 + \tfrac12 + \tfrac14$. A small $\gamma$ makes the learner short-sighted.",
        ),
        notes.Exercise(
            "An autoencoder with linear units is to give back points $(s,\\ t,\\ s + t + 1)$ in space, for any $s$ and "
            "$t$, without loss. How many units does its code need at least?",
            {"n": notes.Number("units")},
            check=narrowest,
            answer={"n": "2"}, wrong=[{"n": "1"}, {"n": "3"}],
            hint="What shape do these points make? The 1 is a matter of the bias.",
            explanation="They lie in a plane: two numbers say where. The code is the dimension of the data, not "
            "that of the space around it.",
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
