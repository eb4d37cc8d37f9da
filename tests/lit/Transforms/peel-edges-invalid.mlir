// RUN: landmark-opt %s --tile-peel-edges -split-input-file -verify-diagnostics

func.func @interior_of_an_iteration(%low: index, %high: index, %step: index, %begin: index) {
  scf.for %iv = %low to %high step %step {
    %end = arith.addi %iv, %begin : index
    // expected-error @below {{needs an enclosing scf.for outside of which its interior is known}}
    %edge = tile.edge %iv interior(%begin, %end)
  }
  return
}

// -----

func.func @another_loop(%low: index, %high: index, %step: index, %begin: index) {
  scf.parallel (%iv) = (%low) to (%high) step (%step) {
    // expected-error @below {{needs an enclosing scf.for outside of which its interior is known}}
    %edge = tile.edge %iv interior(%begin, %begin)
    scf.reduce
  }
  return
}

// -----

func.func @two_interiors(%low: index, %high: index, %step: index, %begin: index, %end: index) {
  scf.for %iv = %low to %high step %step {
    // expected-error @below {{disagrees with another tile.edge of its loop about the interior}}
    %edge = tile.edge %iv interior(%begin, %end)
    %other = tile.edge %iv interior(%begin, %begin)
  }
  return
}
