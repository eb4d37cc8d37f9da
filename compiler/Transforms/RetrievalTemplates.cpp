// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/RetrievalTemplates.h"

#include "compiler/Driver/RetrievalConfig.h"

#include "mlir/AsmParser/AsmParser.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <vector>

using namespace mlir;

namespace landmark {
namespace {

using Aliases = std::vector<std::pair<std::string, std::string>>;

/// A view of rank `strides`, dynamic but for the columns of a row, which lie side by side; without columns all is
/// dynamic.
std::string view(int rank, int64_t columns, std::string_view element) {
  std::string sizes, strides;
  for (int dim = 0; dim < rank; ++dim) {
    bool isRow = columns && dim + 1 == rank;
    sizes += isRow ? fmt::format("{}x", columns) : "?x";
    strides += (dim ? ", " : "") + std::string(isRow ? "1" : "?");
  }
  return fmt::format("memref<{}{}, strided<[{}]>>", sizes, element, strides);
}

/// The types of arguments.
Aliases viewAliases(const Problem &problem, const Config &config) {
  int64_t list = listColumns(problem.topK);
  std::string_view type = name(problem.dtype);
  bool isPart = problem.operation == Operation::AttendPart || problem.operation == Operation::Merge;
  return {
      {"view", view(4, problem.headDim, type)},
      {"pages", fmt::format("memref<?x?x?x{0}x{1}, strided<[?, ?, {0}, 1]>>", problem.headDim, type)}, // rows of a page lie side by side
      {"out_view", view(4, problem.headDim, isPart ? "f32" : type)},
      {"rows_view", view(3, 0, "f32")},
      {"numbers", view(1, 0, "i32")},
      {"frequencies", "memref<?xi64>"},
      {"changes", "memref<?xi64>"},
      {"table", view(2, 0, "i32")},
      {"blocks", view(3, 0, "i64")},
      {"list_view", view(4, list, "f32")},
      {"list_ids_view", view(4, list, "i32")},
      {"logits_view", view(4, Problem::landmarksPerPage, "f32")},
      {"lse_view", view(4, config.queryTile, "f32")},
      {"candidates_view", view(4, selectionColumns(problem.topK), "f32")},
      {"candidate_ids_view", view(4, selectionColumns(problem.topK), "i32")},
      {"index", "index"},
      {"f32", "f32"},
  };
}

std::string tile(std::initializer_list<int64_t> shape, std::string_view element) {
  return fmt::format("tensor<{}x{}>", fmt::join(shape, "x"), element);
}

Aliases tileAliases(const Problem &problem, const Config &config) {
  int64_t rows = config.queryTile, columns = config.keyTile, dim = problem.headDim, list = (problem.topK + 7) / 8 * 8; // a list's places: a multiple of a matrix tile's columns
  std::string_view type = name(problem.dtype);
  return {
      {"q_tile", tile({rows, dim}, type)},
      {"o_tile", tile({rows, dim}, "f32")},
      {"o_row", tile({dim}, "f32")},
      {"out_tile", tile({rows, dim}, problem.operation == Operation::AttendPart ? "f32" : type)},
      {"kv_tile", tile({1, columns, dim}, type)},
      {"gate_tile", tile({columns, dim}, type)},
      {"s_tile", tile({rows, 1, columns}, "f32")},
      {"p_tile", tile({rows, 1, columns}, type)},
      {"seen", tile({rows, 1, columns}, "i1")},
      {"own", tile({rows, 1}, "i1")},
      {"g_tile", tile({rows, columns}, "f32")},
      {"gates", tile({rows, columns}, "i1")},
      {"gate_ids", tile({rows, columns}, "i32")},
      {"share_tile", tile({columns, rows}, "f32")},
      {"is_row", tile({columns, rows}, "i1")},
      {"landmark_index", tile({columns}, "i32")},
      {"columns", tile({columns}, "f32")},
      {"list", tile({rows, list}, "f32")},
      {"list_ids", tile({rows, list}, "i32")},
      {"row", tile({rows}, "f32")},
      {"row_index", tile({rows}, "i32")},
      {"number", "tensor<f32>"},
  };
}

/// The aliases of a step's arguments, in order: what the runtime passes (runtime/DecodeStep.cpp).
std::vector<std::string> argumentsOf(Operation operation) {
  auto join = [](std::vector<std::string> views, int numbers, bool hasScale) {
    views.insert(views.end(), numbers, "index");
    if (hasScale)
      views.push_back("f32");
    return views;
  };
  switch (operation) {
  case Operation::ScoreTop:
    return join({"view", "pages", "numbers", "numbers", "table", "list_view", "list_ids_view", "frequencies"}, 11, false);
  case Operation::Score:
    return join({"view", "pages", "numbers", "numbers", "table", "rows_view", "frequencies"}, 13, true);
  case Operation::Pool:
    return join({"view", "pages", "numbers", "numbers", "table", "lse_view", "rows_view", "frequencies"}, 14, true);
  case Operation::PoolTop:
    return join({"logits_view", "numbers", "numbers", "logits_view", "list_view", "list_ids_view"}, 9, false);
  case Operation::Select:
    return join({"candidates_view", "candidate_ids_view", "list_ids_view"}, 2, false);
  case Operation::Attend:
  case Operation::AttendPart:
  case Operation::AttendJoin:
    return join({"view", "pages", "pages", "numbers", "numbers", "blocks", "candidates_view", "candidate_ids_view", "list_ids_view", "out_view", "rows_view",
                 "frequencies"},
                12, true);
  case Operation::Merge:
    return join({"out_view", "rows_view", "view", "rows_view"}, 1, false);
  case Operation::NamePages:
    return join({"changes", "changes"}, 0, false);
  default:
    break;
  }
  return {};
}

} // namespace

std::string retrievalAliases(const Problem &problem, const Config &config) {
  std::string text;
  for (const Aliases &aliases : {viewAliases(problem, config), tileAliases(problem, config)})
    for (const auto &[alias, definition] : aliases)
      if (alias != definition)
        text += fmt::format("!{} = {} ", alias, definition);
  return text;
}

LogicalResult verifyRetrievalSignature(gpu::GPUFuncOp kernel, const Problem &problem, const Config &config) {
  std::map<std::string, std::string> types;
  for (auto &[alias, definition] : viewAliases(problem, config))
    types[alias] = definition;
  SmallVector<Type> expected;
  for (const std::string &alias : argumentsOf(problem.operation))
    expected.push_back(parseType(types[alias], kernel.getContext()));
  if (llvm::equal(kernel.getArgumentTypes(), expected))
    return success();
  return kernel.emitError("a kernel of step ")
         << name(problem.operation) << " takes " << FunctionType::get(kernel.getContext(), expected, {})
         << "; this one takes " << kernel.getFunctionType();
}

} // namespace landmark
