// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_DRIVER_DIAGNOSTICS_H
#define LANDMARK_COMPILER_DRIVER_DIAGNOSTICS_H

#include "landmark/Expected.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/raw_ostream.h"

namespace landmark {

/// Collects a context's diagnostics as "file:line:column: error: text" while it lives.
class DiagnosticCollector {
public:
  explicit DiagnosticCollector(mlir::MLIRContext *context)
      : handler(context, [this](mlir::Diagnostic &diagnostic) { return add(diagnostic), mlir::success(); }) {}

  Error failure(std::string message) { return {ErrorCode::CompileFailed, std::move(message), std::move(notes)}; }

private:
  void add(const mlir::Diagnostic &diagnostic) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    if (auto place = diagnostic.getLocation()->findInstanceOf<mlir::FileLineColLoc>())
      stream << place.getFilename().getValue() << ":" << place.getLine() << ":" << place.getColumn() << ": ";
    stream << kind(diagnostic.getSeverity()) << ": " << diagnostic.str();
    notes.push_back(std::move(text));
    for (const mlir::Diagnostic &note : diagnostic.getNotes())
      add(note);
  }
  static const char *kind(mlir::DiagnosticSeverity severity) {
    switch (severity) {
    case mlir::DiagnosticSeverity::Error:
      return "error";
    case mlir::DiagnosticSeverity::Warning:
      return "warning";
    case mlir::DiagnosticSeverity::Remark:
      return "remark";
    case mlir::DiagnosticSeverity::Note:
      return "note";
    }
    return "note";
  }

  std::vector<std::string> notes;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace landmark
#endif
