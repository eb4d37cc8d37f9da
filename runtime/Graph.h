// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_GRAPH_H
#define LANDMARK_RUNTIME_GRAPH_H

#include "DeviceState.h"

#include <functional>

namespace landmark {

/// Work captured once and launched as one. On the host, which has no graphs, launching does the work again.
class Graph {
public:
  using Work = std::function<Expected<void>(void *stream)>;

  /// Captures what `work` puts into the stream that it is given.
  static Expected<Graph> capture(const Device &device, Work work);
  Graph(Graph &&other) noexcept;
  Graph(const Graph &) = delete;
  ~Graph();

  Expected<void> launch(void *stream = nullptr) const;

private:
  Graph() = default;

  std::shared_ptr<const DeviceState> owner;
  Work work; ///< host only
  cuda::GraphHandle graph = nullptr;
  cuda::GraphExec executable = nullptr;
};

} // namespace landmark
#endif
